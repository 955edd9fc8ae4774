// What dissectors tell, into observations: who, when, where, once.
#include "witness/world.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/escape.h"
#include "base/hash.h"

namespace witness {
namespace {

bool inside(std::string_view scope) { return scope == "private" || scope == "link-local"; }

double seconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e9; }

struct Magic {
  std::string_view bytes;
  std::size_t offset;
  std::string_view type;
};
using namespace std::string_view_literals;
constexpr Magic kMagics[] = {
    {"\x7F"
     "ELF"sv,
     0, "elf"},
    {"#!/"sv, 0, "script"},
    {"#! /"sv, 0, "script"},
    {"\x1F\x8B\x08"sv, 0, "gzip"},
    {"\xFD"
     "7zXZ\0"sv,
     0, "xz"},
    {"BZh"sv, 0, "bzip2"},
    {"PK\x03\x04"sv, 0, "zip"},
    {"7z\xBC\xAF\x27\x1C"sv, 0, "7z"},
    {"\x28\xB5\x2F\xFD"sv, 0, "zstd"},
    {"hsqs"sv, 0, "squashfs"},
    {"sqsh"sv, 0, "squashfs"},
    {"\x45\x3D\xCD\x28"sv, 0, "cramfs"},
    {"\x28\xCD\x3D\x45"sv, 0, "cramfs"},
    {"\x27\x05\x19\x56"sv, 0, "uimage"},
    {"UBI#"sv, 0, "ubi"},
    {"!<arch>\n"sv, 0, "ar"},
    {"070701"sv, 0, "cpio"},
    {"MZ"sv, 0, "pe"},
    {"ustar"sv, 257, "tar"},
};

bool weighs(Observation::Kind kind) {
  using Kind = Observation::Kind;
  return kind == Kind::patient_data || kind == Kind::canary || kind == Kind::mount_remote ||
         kind == Kind::shell || kind == Kind::credential || kind == Kind::code_in_clear ||
         kind == Kind::association;
}

}  // namespace

std::string_view to_text(Observation::Kind kind) {
  switch (kind) {
#define WITNESS_KIND(name, text, meaning) \
  case Observation::Kind::name:           \
    return text;
#include "witness/kinds.def"
#undef WITNESS_KIND
  }
  return "";
}

std::string_view to_text(Protocol protocol) {
  switch (protocol) {
#define WITNESS_PROTOCOL(name, text) \
  case Protocol::name:               \
    return text;
#include "witness/protocols.def"
#undef WITNESS_PROTOCOL
  }
  return "";
}

std::string masked(std::string_view value) {
  if (value.empty()) return "";
  const std::size_t first = std::max<std::size_t>(1, base::utf8_sequence(value));
  return fmt::format("{}… ({} bytes)", value.substr(0, first), value.size());
}

std::string_view code_type(ByteView bytes) {
  const std::string_view text = base::as_text(bytes);
  for (const Magic& magic : kMagics) {
    if (text.size() < magic.offset || text.substr(magic.offset, magic.bytes.size()) != magic.bytes) continue;
    if (magic.type == "bzip2" && (text.size() < 4 || text[3] < '1' || text[3] > '9')) continue;
    if (magic.type == "pe") {  // MZ alone is two letters: the PE header must be where it says
      const auto at = base::load_le32(bytes, 0x3C);
      if (!at || base::load_le32(bytes, *at) != 0x00004550u) continue;
    }
    return magic.type;
  }
  return {};
}

std::vector<std::uint64_t> View::frames(std::size_t begin, std::size_t end) const {
  std::vector<std::uint64_t> out;
  if (!marks) return out;
  begin += origin;
  end += origin;
  std::size_t start = 0;
  for (const Mark& mark : *marks) {
    const bool touches = start < end && mark.end > begin;
    start = mark.end;
    if (!touches) continue;
    if (out.empty() || out.back() != mark.frame) out.push_back(mark.frame);
    if (out.size() >= kFramesKept) break;
  }
  return out;
}

const std::string& World::text(const Address& address) {
  const auto [at, fresh] = texts_.try_emplace(address);
  if (fresh) {
    if (texts_.size() > 1u << 20) {  // a cache, nothing more
      texts_.clear();
      return texts_.emplace(address, to_text(address)).first->second;
    }
    at->second = to_text(address);
  }
  return at->second;
}

Peer World::peer_of(const Conversation& c, bool& inbound, std::string& device) {
  const std::string_view client_scope = scope_of(c.client), server_scope = scope_of(c.server);
  inbound = !inside(client_scope) && inside(server_scope);
  const Address& near = inbound ? c.server : c.client;
  const Address& far = inbound ? c.client : c.server;
  device = text(near);
  Peer peer;
  peer.address = text(far);
  peer.port = c.server_port;
  peer.protocol = c.tcp ? "tcp" : "udp";
  peer.scope = inbound ? client_scope : server_scope;
  if (const auto name = names.find({near, far}); name != names.end()) {
    peer.host = name->second;
    peer.looked_up = true;
  } else if (const auto served = served_names.find({far, c.server_port});
             !inbound && served != served_names.end()) {
    peer.host = served->second;
  }
  return peer;
}

void World::tell(const Conversation& c, const View& view, std::size_t begin, std::size_t end, Fact fact) {
  tell(c, view.frames(begin, end), view.time, std::move(fact));
}

// Two independent 64-bit hashes: a collision would merge two facts, at odds of about n^2 / 2^128.
World::FactKey World::key_of(const Conversation& c, const Fact& fact) {
  const auto mix = [](std::uint64_t x, std::uint64_t y) {
    const auto product = static_cast<unsigned __int128>(x) * y;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  FactKey key{0x9E3779B97F4A7C15ULL, 0xD6E8FEB86659FD93ULL};
  const auto add = [&](std::uint64_t word) {
    key.a = mix(key.a ^ word, 0xA0761D6478BD642FULL);
    key.b = mix(key.b + word, 0xE7037ED1A0B428DBULL) ^ (key.b >> 7);
  };
  const auto add_text = [&](std::string_view text) {
    const base::ByteView bytes = base::as_bytes(text);
    add(bytes.size());
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8)
      add(*base::load<std::uint64_t>(bytes, at, base::ByteOrder::little));
    std::uint64_t rest = 0;
    for (; at < bytes.size(); ++at) rest = rest << 8 | bytes[at];
    add(rest);
  };
  for (const Address* address : {&c.client, &c.server})
    for (const std::uint64_t word : address->words()) add(word);
  add(std::uint64_t{c.server_port} << 16 | std::uint64_t{c.tcp} << 8 | static_cast<std::uint64_t>(fact.kind));
  add_text(fact.protocol);
  add_text(fact.object);
  add_text(fact.field);
  add_text(fact.data_class);
  // Measured values differ each time: they are one fact, and the first is quoted.
  if (fact.data_class != "vital-signs") add_text(fact.words);
  return key;
}

void World::tell(const Conversation& c, std::vector<std::uint64_t> frames, std::uint64_t time, Fact fact) {
  if (fact.object.size() > 4096) fact.object.resize(4096);
  if (fact.words.size() > 4096) fact.words.resize(4096);
  const FactKey key = key_of(c, fact);
  if (const auto at = known_.find(key); at != known_.end()) {
    Observation& known = capture.observations[at->second];
    ++known.count;
    known.answered |= fact.answered;
    for (const std::uint64_t frame : frames)
      if (known.frames.size() < kFramesKept) known.frames.push_back(frame);
    return;
  }
  // Facts without end (names looked up, messages) leave half the room to those that weigh.
  if (capture.observations.size() >=
      (weighs(fact.kind) ? options.max_observations : options.max_observations / 2)) {
    if (beyond_cap_++ == 0) first_beyond_cap_ = frames.empty() ? 0 : frames.front();
    return;
  }
  known_.emplace(key, static_cast<std::uint32_t>(capture.observations.size()));
  Observation& o = capture.observations.emplace_back();
  o.kind = fact.kind;
  o.protocol = fact.protocol;
  o.peer = peer_of(c, o.inbound, o.device);
  o.object = std::move(fact.object);
  o.frames = std::move(frames);
  o.first_time = seconds(time);
  o.masked = fact.secret && !options.show_secrets && !fact.words.empty();
  o.words = o.masked ? masked(fact.words) : std::move(fact.words);
  o.answered = fact.answered;
  o.clear = fact.clear;
  o.data_class = std::move(fact.data_class);
  o.field = std::move(fact.field);
}

void World::conclude() {
  if (beyond_cap_)
    base::add_doubt(capture.doubts,
                    {"observations-beyond-cap", "capture", first_beyond_cap_,
                     "more observations than the cap allows; the later ones are not listed", beyond_cap_});
}

void World::carve(Carving& carving, ByteView bytes, const std::vector<std::uint64_t>& frames) {
  carving.size += bytes.size();
  for (const std::uint64_t frame : frames)
    if (carving.frames.size() < kFramesKept && (carving.frames.empty() || carving.frames.back() != frame))
      carving.frames.push_back(frame);
  const std::uint64_t room_here =
      options.max_object - std::min<std::uint64_t>(options.max_object, carving.bytes.size());
  const std::uint64_t room_all = options.max_objects - std::min(options.max_objects, carved_bytes);
  const std::uint64_t take = std::min<std::uint64_t>({bytes.size(), room_here, room_all});
  carving.bytes.insert(carving.bytes.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(take));
  carved_bytes += take;
}

void World::object(const Conversation& c, std::string name, std::string_view protocol, Carving carving,
                   std::uint64_t time, bool partial) {
  if (carving.size == 0) return;
  Object out;
  bool inbound = false;
  out.peer = peer_of(c, inbound, out.device);
  const std::string_view type = code_type(carving.bytes);
  out.name = name;
  out.type = type.empty() ? "data" : type;
  out.protocol = protocol;
  out.size = carving.size;
  out.complete = !carving.gap && !partial && carving.bytes.size() == carving.size;
  out.sha256 = base::sha256_hex(carving.bytes);
  out.frames = carving.frames;
  if (!type.empty()) {
    const bool program = type == "elf" || type == "script" || type == "pe";
    tell(c, carving.frames, time,
         {.kind = Kind::code_in_clear,
          .protocol = protocol,
          .object = name,
          .words = fmt::format("{} {}", type, out.sha256),
          .answered = true,
          .data_class = program ? "code" : "archive"});
  }
  const std::string key = out.sha256 + '\x1f' + out.name + '\x1f' + out.device + '\x1f' + out.peer.address;
  if (known_objects_.contains(key)) {
    carved_bytes -= std::min<std::uint64_t>(carved_bytes, carving.bytes.size());
    return;
  }
  if (capture.objects.size() < 10'000) known_objects_.insert(key);
  if (options.keep_objects) out.bytes = std::move(carving.bytes);
  if (capture.objects.size() >= 10'000) {
    doubt("objects-beyond-cap", "capture", out.frames.empty() ? 0 : out.frames.front(),
          "more carried files than are kept");
    return;
  }
  capture.objects.push_back(std::move(out));
}

void World::doubt(std::string name, std::string where, std::uint64_t frame, std::string detail) {
  base::add_doubt(capture.doubts, {std::move(name), std::move(where), frame, std::move(detail), 1});
}

void World::learn_name(const Address& asker, const Address& address, std::string_view name) {
  if (names.size() < 100'000) names.insert_or_assign({asker, address}, std::string(name));
}

void World::learn_device(const Address& address, std::string_view name, std::string_view mud_url,
                         std::string_view vendor) {
  if (notes.size() > 100'000) return;
  DeviceNotes& note = notes[address];
  const auto add = [](std::vector<std::string>& list, std::string_view value) {
    if (value.empty() || list.size() > 32 || std::find(list.begin(), list.end(), value) != list.end()) return;
    list.emplace_back(value);
  };
  add(note.names, name);
  add(note.mud_urls, mud_url);
  if (note.vendor.empty()) note.vendor = vendor;
}

}  // namespace witness

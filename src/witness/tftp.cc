// TFTP requests and the blocks that follow into files. Sources: RFC 1350, RFC 2347 and 2348 (options).
#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "witness/dissect.h"

namespace witness {
namespace {

constexpr std::uint16_t kRead = 1, kWrite = 2, kData = 3, kAck = 4, kError = 5, kOptionAck = 6;
constexpr std::size_t kMaxTransfers = 4096;

void finish(World& world, Transfer& transfer) {
  Carving carving;
  bool whole = transfer.ended;
  std::uint32_t expected = 1;
  for (const auto& [number, bytes] : transfer.blocks) {
    if (number != expected) whole = false;
    expected = number + 1;
    carving.size += bytes.size();
    carving.bytes.insert(carving.bytes.end(), bytes.begin(), bytes.end());
  }
  carving.gap = !whole;
  carving.frames = transfer.frames;
  Conversation c;
  c.client = transfer.client;
  c.server = transfer.server;
  c.client_port = transfer.client_port;
  c.server_port = 69;
  c.tcp = false;
  world.object(c, transfer.path, "tftp", std::move(carving), 0);
  transfer.blocks.clear();
}

std::uint32_t option_number(const std::vector<std::string_view>& parts, std::string_view name) {
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    std::uint32_t value = 0;
    if (base::lower(parts[i]) == name &&
        std::from_chars(parts[i + 1].data(), parts[i + 1].data() + parts[i + 1].size(), value).ec ==
            std::errc{})
      return value;
  }
  return 0;
}

bool read_request(World& world, const Conversation& c, const View& view, bool write) {
  auto parts = base::split(base::as_text(view.bytes.subspan(2)), '\0');
  if (parts.size() < 2) return false;
  const std::string mode = base::lower(parts[1]);
  const bool usual = mode == "octet" || mode == "netascii" || mode == "mail";
  world.tell(c, view, 0, view.bytes.size(),
             {.kind = write ? Kind::send : Kind::fetch,
              .protocol = "tftp",
              .object = std::string(parts[0]),
              .words = std::string(parts[1])});
  if (!usual)
    world.doubt("tftp-odd-mode", world.text(c.client), view.frames(0, 1).empty() ? 0 : view.frames(0, 1)[0],
                "a request whose mode RFC 1350 does not know");
  if (world.tftp.size() >= kMaxTransfers) return true;
  Transfer& transfer = world.tftp[{c.client, c.client_port}];
  if (!transfer.blocks.empty()) finish(world, transfer);
  transfer = Transfer{};
  transfer.path = parts[0];
  transfer.write = write;
  transfer.client = c.client;
  transfer.server = c.server;
  transfer.client_port = c.client_port;
  transfer.frames = view.frames(0, view.bytes.size());
  if (const std::uint32_t size = option_number(parts, "blksize"); size >= 8 && size <= 65464)
    transfer.block_size = size;
  return true;
}

void add_block(World& world, Transfer& transfer, const View& view) {
  const ByteView data = view.bytes.subspan(4);
  std::uint32_t number = *base::load_be16(view.bytes, 2);
  // Sixteen bits wrap on long files: the nearest number to the last is meant.
  number += transfer.last_block & ~0xFFFFu;
  if (number + 0x8000 < transfer.last_block) number += 0x10000;
  if (transfer.blocks.contains(number) || number == 0) return;
  const std::uint64_t room = world.options.max_object - std::min(world.options.max_object, transfer.held);
  if (data.size() > room || world.carved_bytes + data.size() > world.options.max_objects) return;
  transfer.last_block = std::max(transfer.last_block, number);
  transfer.held += data.size();
  world.carved_bytes += data.size();
  transfer.blocks[number] = base::Bytes(data.begin(), data.end());
  for (const std::uint64_t frame : view.frames(0, view.bytes.size()))
    if (transfer.frames.size() < kFramesKept) transfer.frames.push_back(frame);
  if (data.size() < transfer.block_size) transfer.ended = true;
}

}  // namespace

bool read_tftp(World& world, const Conversation& c, int direction, const View& view) {
  const auto operation = base::load_be16(view.bytes, 0);
  if (!operation || view.bytes.size() < 4) return false;
  if ((*operation == kRead || *operation == kWrite) && direction == kFromClient && c.server_port == 69)
    return read_request(world, c, view, *operation == kWrite);
  if (*operation < kData || *operation > kOptionAck) return false;
  // The server answers from a port of its own: the client's port and the two addresses say which transfer it
  // is.
  const bool client_sent = world.tftp.contains({c.client, c.client_port}) &&
                           world.tftp[{c.client, c.client_port}].server == c.server;
  const auto found =
      client_sent ? world.tftp.find({c.client, c.client_port}) : world.tftp.find({c.server, c.server_port});
  if (found == world.tftp.end()) return false;
  Transfer& transfer = found->second;
  const Address& sender = direction == kFromClient ? c.client : c.server;
  const Address& receiver = direction == kFromClient ? c.server : c.client;
  const bool from_server = sender == transfer.server && receiver == transfer.client;
  if (!from_server && !(sender == transfer.client && receiver == transfer.server)) return false;
  if (from_server) {
    const std::uint16_t port = direction == kFromClient ? c.client_port : c.server_port;
    if (transfer.server_port == 0) transfer.server_port = port;
  }
  if (*operation == kOptionAck) {
    const auto parts = base::split(base::as_text(view.bytes.subspan(2)), '\0');
    const std::uint32_t size = option_number(parts, "blksize");
    transfer.block_size = size >= 8 && size <= 65464 ? size : 512;
  } else if (*operation == kData) {
    add_block(world, transfer, view);
  } else if (*operation == kError) {
    transfer.ended = false;
  } else if (*operation == kAck) {
    // nothing to learn
  }
  return true;
}

void conclude_tftp(World& world) {
  for (auto& [key, transfer] : world.tftp)
    if (!transfer.blocks.empty()) finish(world, transfer);
  world.tftp.clear();
}

}  // namespace witness

#include "derive/binary_checks.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "base/text.h"

namespace derive {

using effects::Effect;
using effects::Kind;

namespace {

bool installs(Kind kind) {
  return kind == Kind::copy || kind == Kind::write_flash || kind == Kind::unpack || kind == Kind::execute || kind == Kind::load_module || kind == Kind::write;
}

bool ends_hash(std::string_view callee) {
  constexpr std::string_view known[] = {"EVP_DigestFinal_ex", "EVP_DigestFinal", "EVP_Digest", "SHA256", "SHA256_Final", "SHA512_Final", "SHA1", "SHA1_Final", "MD5", "MD5_Final",
                                        "mbedtls_sha256_finish", "mbedtls_md5_finish", "mbedtls_md_finish", "wc_Sha256Final"};
  return std::ranges::find(known, callee) != std::end(known);
}

bool compares(std::string_view callee) {
  constexpr std::string_view known[] = {"strcmp", "strncmp", "strcasecmp", "strncasecmp", "memcmp", "bcmp"};
  return std::ranges::find(known, callee) != std::end(known);
}

bool makes_number(const flow::CallSite& site) {
  constexpr std::string_view known[] = {"strtoul", "strtol", "strtoull", "strtoll", "atoi", "atol", "atoll"};
  if (std::ranges::find(known, site.callee) != std::end(known)) return true;
  if (site.callee != "fscanf" || site.args.size() < 2) return false;
  return std::ranges::any_of(site.args[1].values, [](const std::string& format) {
    for (auto at = format.find('%'); at != std::string::npos; at = format.find('%', at + 1)) {
      const auto letter = format.find_first_not_of("0123456789*hlzj", at + 1);
      if (letter != std::string::npos && std::string_view("uidx").find(format[letter]) != std::string_view::npos) return true;
    }
    return false;
  });
}

bool prints(std::string_view callee) {
  constexpr std::string_view known[] = {"printf", "vprintf", "puts", "fprintf", "vfprintf", "fputs", "fwrite", "write"};
  return std::ranges::find(known, callee) != std::end(known);
}

class Checks {
 public:
  Checks(const ProgramFacts& facts, const flow::Program& program, const std::vector<std::vector<std::uint32_t>>& effects_of) : facts_(facts), program_(program), effects_of_(effects_of) {}

  std::vector<std::pair<std::uint32_t, Effect>> find() {
    std::set<std::uint32_t> deciding;
    std::vector<std::uint32_t> ends;
    for (std::uint32_t i = 0; i < program_.calls.size(); ++i) {
      if (std::ranges::none_of(effects_of_[i], [&](auto e) { return installs(facts_.effects[e].kind); })) continue;
      ends.push_back(i);
      deciding.insert(program_.calls[i].guards.begin(), program_.calls[i].guards.end());
    }
    if (deciding.empty()) return {};
    for (const auto i : deciding) read_deciding(i);
    add_versions(ends);
    for (std::uint32_t i = 0; i < program_.calls.size(); ++i)
      if (prints(program_.calls[i].callee) && std::ranges::none_of(effects_of_[i], [&](auto e) { return facts_.effects[e].kind == Kind::write || facts_.effects[e].kind == Kind::send; })) {
        const Sources sources = sources_of(program_.calls[i].feeds);
        if (!sources.brought.empty()) add(i, Kind::print, sources);
      }
    return std::move(out_);
  }

 private:
  // Files whose bytes reach a call: those that the program brought in, and the device's own.
  struct Sources {
    std::set<std::string> brought, own;
  };

  bool is_brought(const std::string& path) const {
    if (path.starts_with("${argv[")) return true;  // what the caller hands over
    return std::ranges::any_of(facts_.effects, [&](const Effect& effect) {
      const bool brings = effect.kind == Kind::fetch || effect.kind == Kind::mount_remote || effect.kind == Kind::mount_media || effect.kind == Kind::receive || effect.kind == Kind::unpack || effect.kind == Kind::copy;
      return brings && effect.target.value.starts_with('/') && effect.target.value.size() > 1 && !effect.notes.contains("call") && base::is_beneath(path, effect.target.value);
    });
  }

  Sources sources_of(const std::vector<std::uint32_t>& feeds) const {
    Sources out;
    for (const auto from : feeds)
      for (const auto e : effects_of_[from]) {
        const Effect& effect = facts_.effects[e];
        if (effect.kind == Kind::receive) out.brought.insert("what was received");
        if (effect.kind != Kind::read || effect.notes.contains("flags") || effect.object.value.starts_with("/dev/")) continue;
        (is_brought(effect.object.value) ? out.brought : out.own).insert(effect.object.value);
      }
    return out;
  }

  // A buffer that held something of the device's own before what was brought in was read over it.
  bool brought_last(const std::vector<std::uint32_t>& feeds) const {
    std::vector<std::uint32_t> brought, own;
    for (const auto from : feeds) {
      const Sources sources = sources_of({from});
      if (!sources.brought.empty()) brought.push_back(from);
      else if (!sources.own.empty()) own.push_back(from);
    }
    return std::ranges::all_of(own, [&](auto old) {
      return std::ranges::any_of(brought, [&](auto later) {
        const auto& call = program_.calls[later];
        return std::ranges::find(call.guards, old) != call.guards.end() || std::ranges::find(call.precedes, old) != call.precedes.end();
      });
    });
  }

  void add(std::uint32_t call, Kind kind, const Sources& sources) {
    Effect effect;
    effect.kind = kind;
    if (!sources.brought.empty()) effect.notes["offered"] = *sources.brought.begin();
    if (kind != Kind::print && !sources.own.empty()) effect.notes["installed"] = *sources.own.begin();
    out_.emplace_back(call, std::move(effect));
  }

  void read_deciding(std::uint32_t i) {
    const auto& site = program_.calls[i];
    if (ends_hash(site.callee)) {
      const Sources sources = sources_of(hashed_by(program_, i));
      if (!sources.brought.empty()) add(i, Kind::check_hash, sources);
      return;
    }
    const Sources sources = sources_of(site.feeds);
    if (site.callee == "strverscmp" && !sources.brought.empty()) return add(i, Kind::compare_version, sources);
    if (!compares(site.callee) || sources.brought.empty() || site.args.size() < 2) return;
    // The hash of a file compared with what a list says is the end of that check, not one of its own.
    if (std::ranges::any_of(site.feeds, [&](auto from) { return ends_hash(program_.calls[from].callee); })) return;
    const bool constant = std::ranges::any_of(site.args, [](const flow::ArgValue& argument) {
      return argument.kind != flow::ArgValue::Kind::number && (argument.buffer_id.starts_with("global:") || argument.buffer_id.starts_with("code:")) && argument.values.size() == 1 && argument.values[0].size() >= 3 && argument.values[0].find("${") == std::string::npos;
    });
    if (!sources.own.empty() && !constant) return add(i, Kind::compare_device, sources);
    if (!constant || (!sources.own.empty() && !brought_last(site.feeds))) return;
    add(i, Kind::compare_constant, sources);
    out_.back().second.notes["content"] = "yes";
  }

  // Two numbers, one of what was brought in and one of the device's own, that both decide: versions, it is assumed.
  void add_versions(const std::vector<std::uint32_t>& ends) {
    std::set<std::uint32_t> told;
    for (const auto end : ends) {
      std::vector<std::uint32_t> offered;
      bool installed = false;
      for (const auto i : program_.calls[end].guards) {
        if (!makes_number(program_.calls[i])) continue;
        auto feeds = program_.calls[i].feeds;
        feeds.push_back(i);  // fscanf() reads the file itself
        const Sources sources = sources_of(feeds);
        if (!sources.brought.empty()) offered.push_back(i);
        if (!sources.own.empty()) installed = true;
      }
      for (const auto i : offered) {
        if (!told.insert(i).second) continue;
        auto feeds = program_.calls[i].feeds;
        feeds.push_back(i);
        add(i, Kind::compare_version, sources_of(feeds));
        Effect& effect = out_.back().second;
        if (installed) effect.assumed = true, effect.assumption = "the two numbers that are read are versions, and the older one is refused";
        else effect.notes["number-of-content"] = "yes";
      }
    }
  }

  const ProgramFacts& facts_;
  const flow::Program& program_;
  const std::vector<std::vector<std::uint32_t>>& effects_of_;
  std::vector<std::pair<std::uint32_t, Effect>> out_;
};

}  // namespace

std::vector<std::uint32_t> hashed_by(const flow::Program& program, std::uint32_t call) {
  const auto& end = program.calls[call];
  std::vector<std::uint32_t> out = end.feeds;
  const auto stem = end.callee.substr(0, std::min(end.callee.find("Final"), end.callee.find("finish")));
  if (stem.size() == end.callee.size()) return out;  // one call that hashes it all
  for (const auto& site : program.calls) {
    if (site.function_address != end.function_address || (site.callee != stem + "Update" && site.callee != stem + "update")) continue;
    for (const auto from : site.feeds)
      if (std::ranges::find(out, from) == out.end()) out.push_back(from);
  }
  return out;
}

std::vector<std::pair<std::uint32_t, Effect>> checks_of(const ProgramFacts& facts, const flow::Program& program, const std::vector<std::vector<std::uint32_t>>& effects_of) {
  return Checks(facts, program, effects_of).find();
}

}  // namespace derive

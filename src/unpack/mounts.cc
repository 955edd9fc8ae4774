// fstab and the plain `mount` lines of init scripts into mount words. See mounts.h.
#include "unpack/mounts.h"

#include <charconv>

#include <fmt/format.h>

#include "base/text.h"

namespace unpack {
namespace {

constexpr std::size_t kLargestScript = 1 << 20;

bool is_start_script(std::string_view path) {
  for (const std::string_view directory : {"/etc/init.d", "/etc/rc.d", "/etc/rcS.d", "/etc_ro", "/lib/preinit", "/etc/scripts", "/etc/init0.d"})
    if (base::is_beneath(path, directory)) return true;
  for (const std::string_view file : {"/init", "/linuxrc", "/etc/rcS", "/etc/rc", "/etc/rc.local", "/etc/inittab", "/etc/profile", "/etc/preinit", "/sbin/init"})
    if (path == file) return true;
  return false;
}

std::optional<unsigned> mtd_number(std::string_view device) {
  for (const std::string_view prefix : {"/dev/mtdblock/", "/dev/mtdblock", "/dev/mtd", "mtdblock", "mtd"}) {
    if (!device.starts_with(prefix)) continue;
    const std::string_view digits = device.substr(prefix.size());
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc{} && end == digits.data() + digits.size()) return value;
  }
  return std::nullopt;
}

bool is_flash(std::string_view device) {
  return device.starts_with("/dev/mtd") || device.starts_with("mtd") || device.starts_with("ubi") || device.starts_with("/dev/ubi");
}

// `words` from the one after `mount`.
std::optional<MountWords> from_command(const std::vector<std::string_view>& words, std::size_t from) {
  MountWords out;
  std::vector<std::string_view> plain;
  for (std::size_t i = from; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word.find_first_of("$`\"'*") != std::string_view::npos) return std::nullopt;
    if (word.find_first_of(";|&>#") != std::string_view::npos) break;
    if (word == "-t" || word == "-o" || word == "-O") {
      if (word == "-t" && i + 1 < words.size()) out.type = words[i + 1];
      ++i;
    } else if (word.starts_with("-t") && word.size() > 2) {
      out.type = word.substr(2);
    } else if (!word.starts_with('-')) {
      plain.push_back(word);
    }
  }
  if (plain.size() != 2 || !is_flash(plain[0]) || !plain[1].starts_with('/')) return std::nullopt;
  out.mtd_number = mtd_number(plain[0]);
  out.at = base::normal_path(plain[1]);
  return out;
}

void read_script(std::string_view path, std::string_view text, std::vector<MountWords>& out) {
  for (const std::string_view line : base::split(text, '\n')) {
    const std::string_view trimmed = base::trim(line);
    if (trimmed.starts_with('#')) continue;
    const auto words = base::split_words(trimmed);
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i] != "mount" && !words[i].ends_with("/mount")) continue;
      auto said = from_command(words, i + 1);
      if (!said) continue;
      said->source = fmt::format("{}: {}", path, trimmed);
      out.push_back(std::move(*said));
    }
  }
}

void read_fstab(std::string_view path, std::string_view text, std::vector<MountWords>& out) {
  for (const std::string_view line : base::split(text, '\n')) {
    const auto words = base::split_words(base::trim(line));
    if (words.size() < 3 || words[0].starts_with('#') || !is_flash(words[0]) || !words[1].starts_with('/')) continue;
    MountWords said;
    said.type = words[2];
    said.at = base::normal_path(words[1]);
    said.mtd_number = mtd_number(words[0]);
    said.source = fmt::format("{}: {}", path, base::trim(line));
    out.push_back(std::move(said));
  }
}

}  // namespace

bool MountWords::accepts(std::string_view format) const { return type.empty() || type == "auto" || type == format || (type == "yaffs2" && format == "yaffs"); }

std::vector<MountWords> read_mount_words(const Firmware& firmware, const Tree& root) {
  std::vector<MountWords> out;
  for (const Node& node : root.nodes()) {
    if (node.type != NodeType::regular || !node.blob.valid() || node.size > kLargestScript) continue;
    const std::string_view text = base::as_text(firmware.bytes(node));
    if (node.path == "/etc/fstab") read_fstab(node.path, text, out);
    else if (is_start_script(node.path)) read_script(node.path, text, out);
  }
  // The root is there already.
  std::erase_if(out, [](const MountWords& said) { return said.at == "/"; });
  return out;
}

}  // namespace unpack

#include "derive/components.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "base/text.h"
#include "derive/embedded.h"
#include "elf/elf.h"

namespace derive {
namespace {

struct Model {
  std::string name;
  std::vector<std::string> files, text, named;
  bool alone = false;
  std::string with;  // stands in a file whose `alone` counts
};

const std::vector<Model>& models() {
  static const std::vector<Model> list = [] {
    std::vector<Model> out;
    for (const auto& node : YAML::Load(std::string(embedded::components_yaml))["components"]) {
      Model model;
      model.name = node["name"].as<std::string>();
      for (const auto& file : node["files"]) model.files.push_back(file.as<std::string>());
      for (const auto& text : node["text"]) model.text.push_back(text.as<std::string>());
      for (const auto& text : node["named"]) model.named.push_back(text.as<std::string>());
      model.with = node["with"] ? node["with"].as<std::string>() : "";
      model.alone = node["alone"] && node["alone"].as<bool>();
      out.push_back(std::move(model));
    }
    return out;
  }();
  return list;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_version_character(char c) { return is_digit(c) || c == '.' || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '+'; }

// "2.45", "1.0.2f": digits, at least one dot, no dot at the end.
std::string version_at(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && end < 24 && is_version_character(text[end])) ++end;
  while (end > 0 && !is_digit(text[end - 1]) && !(text[end - 1] >= 'a' && text[end - 1] <= 'z')) --end;
  const auto version = text.substr(0, end);
  const auto dot = version.find('.');
  if (version.empty() || !is_digit(version[0]) || dot == std::string_view::npos || dot > 4) return {};
  return std::string(version);
}

std::string words_at(std::string_view text, std::size_t at) {
  const auto end = std::find_if(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), [](char c) { return c < 0x20 || c > 0x7E; });
  return std::string(text.substr(at, std::min<std::size_t>(static_cast<std::size_t>(end - text.begin()) - at, 80)));
}

// Version and the words that state it.
std::optional<std::pair<std::string, std::string>> stated_version(const Model& model, std::string_view name, std::string_view text) {
  for (const auto& mark : model.text)
    for (auto at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + 1))
      if (auto version = version_at(text.substr(at + mark.size(), 32)); !version.empty()) return std::pair(std::move(version), words_at(text, at));
  for (const auto& beginning : model.named)
    if (name.starts_with(beginning)) {
      auto version = version_at(name.substr(beginning.size(), std::min(name.find(".so"), name.size()) - beginning.size()));
      if (!version.empty()) return std::pair(std::move(version), "the file's name, " + std::string(name));
    }
  if (!model.alone || text.find(model.with) == std::string_view::npos) return std::nullopt;
  for (std::size_t at = 1; at + 4 < text.size(); ++at) {
    if (text[at - 1] != '\0' || !is_digit(text[at])) continue;
    const auto version = version_at(text.substr(at, 24));
    if (version.size() >= 3 && at + version.size() < text.size() && text[at + version.size()] == '\0') return std::pair(version, version);
  }
  return std::nullopt;
}

// `name=value` of a module's .modinfo.
std::string module_word(std::string_view text, std::string_view name) {
  const std::string mark = std::string(1, '\0') + std::string(name) + "=";
  const auto at = text.find(mark);
  return at == std::string_view::npos ? std::string() : words_at(text, at + mark.size());
}

// A module's .modinfo with a NUL before its first word; the whole file where no section says where that is.
std::string modinfo(base::ByteView bytes) {
  if (const auto binary = elf::read(bytes))
    for (const auto& section : binary->sections)
      if (section.name == ".modinfo" && base::in_bounds(section.offset, section.size, bytes.size()))
        return std::string(1, '\0') + std::string(base::as_text(bytes.subspan(section.offset, section.size)));
  return std::string(base::as_text(bytes));
}

Component module(const unpack::Node& node, std::string_view name, std::string_view text) {
  Component out{std::string(name.substr(0, name.rfind('.'))), module_word(text, "version"), "module", node.path, {}, module_word(text, "license"), {}};
  const std::string magic = module_word(text, "vermagic"), about = module_word(text, "description");
  out.evidence = about.empty() ? magic : about + (magic.empty() ? "" : "; for " + magic);
  return out;
}

// "libz" is not the whole of "libzbar.so.0".
bool ends_the_name(std::string_view rest) { return rest.starts_with('.') || rest.starts_with('-') || rest.starts_with('_'); }

constexpr std::size_t kLargest = 16 << 20;

}  // namespace

std::vector<Component> find_components(const unpack::Firmware& firmware) {
  std::vector<Component> out;
  for (const auto& note : firmware.kernel_notes)
    if (const auto at = note.find("Linux version "); at != std::string::npos)
      if (auto version = version_at(std::string_view(note).substr(at + 14)); !version.empty()) out.push_back({"linux", std::move(version), "kernel", "", note.substr(at, 120), {}, {}});
  for (const auto& node : firmware.root.nodes()) {
    if (node.type != unpack::NodeType::regular || node.size > kLargest) continue;
    const std::string_view name = std::string_view(node.path).substr(node.path.rfind('/') + 1);
    const base::ByteView bytes = firmware.bytes(node);
    if (!elf::is_elf(bytes)) continue;
    const auto text = base::as_text(bytes);
    if (name.ends_with(".ko")) {
      out.push_back(module(node, name, modinfo(bytes)));
      continue;
    }
    for (const Model& model : models()) {
      const auto file = std::ranges::find_if(model.files, [&](const auto& one) { return name.starts_with(one); });
      if (file == model.files.end()) continue;
      const bool library = name.find(".so") != std::string_view::npos;
      if (auto stated = stated_version(model, name, text))
        out.push_back({model.name, std::move(stated->first), library ? "library" : "program", node.path, std::move(stated->second), {}, {}});
      else if (library && ends_the_name(name.substr(file->size())) && *file != "libc.so" && *file != "libc-")
        out.push_back({model.name, {}, "library", node.path, "the file's name, " + std::string(name) + ", which states no version", {}, {}});
    }
  }
  find_packages(firmware, out);
  std::ranges::stable_sort(out, {}, [](const Component& c) { return std::tie(c.path, c.name); });
  return out;
}

}  // namespace derive

// Reads the built-in models once.
#include "flow/models.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <utility>

#include "flow/models_yaml.h"

namespace flow {
namespace {

constexpr std::array<std::pair<std::string_view, Role>, 18> roles = {{
    {"any", Role::any}, {"text", Role::text}, {"out", Role::out}, {"outbuf", Role::outbuf}, {"outsize", Role::outsize}, {"format", Role::format},
    {"scan", Role::scan}, {"number", Role::number}, {"size", Role::size}, {"fd", Role::fd}, {"path", Role::path},
    {"mode", Role::mode}, {"buffer", Role::buffer}, {"sockaddr", Role::sockaddr}, {"argv", Role::argv},
    {"callback", Role::callback}, {"more", Role::more}, {"list", Role::list}}};

constexpr std::array<std::pair<std::string_view, Does>, 34> works = {{
    {"copy", Does::copy}, {"copy-n", Does::copy_n}, {"append", Does::append}, {"append-n", Does::append_n},
    {"copy-bytes", Does::copy_bytes}, {"fill", Does::fill}, {"duplicate", Does::duplicate}, {"length", Does::length},
    {"compare", Does::compare}, {"find", Does::find}, {"find-last", Does::find_last}, {"format", Does::format},
    {"format-new", Does::format_new}, {"scan", Does::scan}, {"read", Does::read}, {"read-line", Does::read_line},
    {"allocate", Does::allocate}, {"reallocate", Does::reallocate}, {"free", Does::free}, {"getenv", Does::getenv},
    {"number-of", Does::number_of}, {"network-short", Does::network_short}, {"network-long", Does::network_long},
    {"address-of", Does::address_of}, {"address-into", Does::address_into}, {"address-text", Does::address_text},
    {"open", Does::open}, {"no-return", Does::no_return}, {"on-signal", Does::on_signal}, {"thread", Does::thread},
    {"at-exit", Does::at_exit}, {"timer", Does::timer}, {"start-main", Does::start_main}, {"identity", Does::identity}}};

struct Loaded {
  std::unordered_map<std::string, Model> models;
  std::string error;
};

template <class Table>
auto find(const Table& table, std::string_view key) {
  return std::find_if(table.begin(), table.end(), [&](const auto& e) { return e.first == key; });
}

Loaded load() {
  Loaded out;
  try {
    const auto root = YAML::Load(std::string(functions_yaml));
    for (const auto& entry : root["functions"]) {
      Model m;
      m.name = entry.first.as<std::string>();
      for (const auto& role : entry.second["args"]) {
        const auto it = find(roles, role.as<std::string>());
        if (it == roles.end()) out.error = m.name + ": unknown role";
        else m.args.push_back(it->second);
      }
      if (entry.second["does"]) {
        const auto it = find(works, entry.second["does"].as<std::string>());
        if (it == works.end()) out.error = m.name + ": unknown work";
        else m.does = it->second;
      }
      if (entry.second["returns"]) m.returns = entry.second["returns"].as<std::string>();
      if (entry.second["group"]) m.group = entry.second["group"].as<std::string>();
      out.models.emplace(m.name, std::move(m));
    }
  } catch (const YAML::Exception& e) {
    out.error = e.what();
  }
  return out;
}

const Loaded& loaded() {
  static const Loaded data = load();
  return data;
}

}  // namespace

const Model* model_for(std::string_view symbol, std::vector<int>& skip) {
  const auto& models = loaded().models;
  const auto look = [&](std::string_view name) -> const Model* {
    const auto it = models.find(std::string(name));
    return it == models.end() ? nullptr : &it->second;
  };
  skip.clear();
  if (const auto* m = look(symbol)) return m;
  std::string_view name = symbol;
  if (name.starts_with("_ZSt") && name.substr(0, 16).contains("__throw_")) return look("abort");  // std::__throw_length_error and the like
  if (name.ends_with("_chk")) {  // glibc's fortified variants carry a flag or a size more
    std::string_view plain = name.substr(0, name.size() - 4);
    while (plain.starts_with("_")) plain.remove_prefix(1);
    const auto* m = look(plain);
    if (!m) return nullptr;
    if (plain == "sprintf" || plain == "vsprintf") skip = {1, 2};
    else if (plain == "snprintf" || plain == "vsnprintf") skip = {2, 3};
    else if (plain == "printf" || plain == "vprintf") skip = {0};
    else if (plain == "fprintf" || plain == "vfprintf" || plain == "syslog" || plain == "vsyslog" || plain == "asprintf" ||
             plain == "vasprintf" || plain == "dprintf" || plain == "fgets" || plain == "fread") skip = {1};
    if (plain == "fgets" || plain == "fread") skip = {1};
    if (plain == "read" || plain == "recv" || plain == "pread" || plain == "readlink") skip = {3};
    return m;
  }
  for (const std::string_view prefix : {"__isoc99_", "__isoc23_", "__libc_", "__GI_", "_IO_", "__", "_"})
    if (name.starts_with(prefix))
      if (const auto* m = look(name.substr(prefix.size()))) return m;
  for (const std::string_view suffix : {"64", "_unlocked", "_nocancel"}) {
    if (!name.ends_with(suffix)) continue;
    auto stem = name.substr(0, name.size() - suffix.size());
    if (const auto* m = look(stem)) return m;
    while (stem.starts_with("_")) {
      stem.remove_prefix(1);
      if (const auto* m = look(stem)) return m;
    }
  }
  return nullptr;
}

std::vector<std::string> model_names() {
  std::vector<std::string> out;
  for (const auto& [name, unused] : loaded().models) out.push_back(name);
  std::sort(out.begin(), out.end());
  return out;
}

const std::string& models_error() { return loaded().error; }

}  // namespace flow

#include "derive/models.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <cassert>

#include "derive/embedded.h"

namespace derive {
namespace {

using base::Error;
using base::fail;

base::Result<std::optional<Expression>> expression(const YAML::Node& node) {
  if (!node) return std::optional<Expression>{};
  auto parsed = Expression::parse(node.as<std::string>());
  if (!parsed) return std::unexpected(parsed.error());
  return std::optional<Expression>{std::move(*parsed)};
}

base::Result<EffectModel> effect_model(const YAML::Node& node) {
  EffectModel out;
  static const std::set<std::string> known = {"kind", "when", "each", "peer", "port", "protocol", "object", "target", "shell", "program", "notes", "data"};
  for (const auto& entry : node)
    if (!known.contains(entry.first.as<std::string>())) return fail(Error::Kind::damaged, fmt::format("unknown key '{}'", entry.first.as<std::string>()));
  if (node["kind"]) {
    out.kind = effects::kind_from_key(node["kind"].as<std::string>());
    if (!out.kind) return fail(Error::Kind::damaged, fmt::format("unknown effect kind '{}'", node["kind"].as<std::string>()));
  }
  for (const auto& condition : node["when"]) {
    auto parsed = Condition::parse(condition.as<std::string>());
    if (!parsed) return std::unexpected(parsed.error());
    out.when.push_back(std::move(*parsed));
  }
  if (node["peer"] && node["peer"].as<std::string>() == "endpoint") out.peer_from_endpoint = true;
  const std::pair<const char*, std::optional<Expression>*> fields[] = {
      {"each", &out.each}, {"port", &out.port}, {"protocol", &out.protocol}, {"object", &out.object},
      {"target", &out.target}, {"shell", &out.shell}, {"program", &out.program}};
  for (const auto& [name, field] : fields) {
    auto parsed = expression(node[name]);
    if (!parsed) return std::unexpected(parsed.error());
    *field = std::move(*parsed);
  }
  if (!out.peer_from_endpoint) {
    auto parsed = expression(node["peer"]);
    if (!parsed) return std::unexpected(parsed.error());
    out.peer = std::move(*parsed);
  }
  for (const auto& note : node["notes"]) {
    auto parsed = Expression::parse(note.second.as<std::string>());
    if (!parsed) return std::unexpected(parsed.error());
    out.notes.emplace_back(note.first.as<std::string>(), std::move(*parsed));
  }
  for (const auto& data : node["data"]) out.data.push_back(data.as<std::string>());
  return out;
}

base::Result<std::map<std::string, CommandModel, std::less<>>> entries(const YAML::Node& root) {
  std::map<std::string, CommandModel, std::less<>> out;
  for (const auto& entry : root) {
    CommandModel model;
    for (const auto& option : entry["takes"]) model.takes.push_back(option.as<std::string>());
    model.old_style = entry["old_style"] && entry["old_style"].as<bool>();
    for (const auto& effect : entry["effects"]) {
      auto parsed = effect_model(effect);
      if (!parsed) return fail(Error::Kind::damaged, fmt::format("model at line {}: {}", entry.Mark().line + 1, parsed.error().message));
      model.effects.push_back(std::move(*parsed));
    }
    for (const auto& name : entry["names"]) {
      model.name = name.as<std::string>();
      if (!out.emplace(model.name, model).second) return fail(Error::Kind::damaged, fmt::format("'{}' has two models", model.name));
    }
  }
  return out;
}

}  // namespace

base::Result<Models> load_models(std::string_view commands, std::string_view calls) {
  Models out;
  try {
    const YAML::Node command_file = YAML::Load(std::string(commands)), call_file = YAML::Load(std::string(calls));
    auto command_models = entries(command_file["commands"]);
    if (!command_models) return std::unexpected(command_models.error());
    auto call_models = entries(call_file["calls"]);
    if (!call_models) return std::unexpected(call_models.error());
    out.commands = std::move(*command_models);
    out.calls = std::move(*call_models);
    for (const auto& name : command_file["without_effects"]) out.known_commands.insert(name.as<std::string>());
  } catch (const YAML::Exception& error) {
    return fail(Error::Kind::damaged, fmt::format("models: {}", error.what()));
  }
  return out;
}

const Models& built_in_models() {
  static const Models models = [] {
    auto loaded = load_models(embedded::commands_yaml, embedded::calls_yaml);
    assert(loaded && "the built-in models are checked by models_test");
    return loaded ? std::move(*loaded) : Models{};
  }();
  return models;
}

}  // namespace derive

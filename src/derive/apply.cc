// A model and an invocation in, effects out.
#include <charconv>

#include "derive/facts.h"

namespace derive {

using effects::Effect;
using effects::Text;

namespace {

Text first(const std::optional<Expression>& expression, const Invocation& invocation, const Text* each) {
  if (!expression) return {};
  auto values = expression->evaluate(invocation, each);
  if (values.empty()) return {};
  if (values.size() == 1) return std::move(values.front());
  Text all = values.front();
  for (std::size_t i = 1; i < values.size(); ++i) {
    all.value += ' ' + values[i].value;
    all.resolved = all.resolved && values[i].resolved;
  }
  return all;
}

std::uint16_t port_number(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() ? port : 0;
}

// The port that a scheme or protocol stands for (IANA service names); 0 when it has none.
std::uint16_t default_port(std::string_view protocol) {
  constexpr std::pair<std::string_view, std::uint16_t> known[] = {
      {"http", 80}, {"https", 443}, {"ftp", 21}, {"tftp", 69}, {"nfs", 2049}, {"nfs4", 2049}, {"cifs", 445}, {"smb", 445}, {"smb3", 445}, {"smbfs", 445},
      {"ssh", 22}, {"telnet", 23}, {"ntp", 123}, {"mqtt", 1883}, {"syslog", 514}, {"rsync", 873}, {"dns", 53}, {"ftps", 990}, {"sftp", 22}};
  for (const auto& [name, port] : known)
    if (name == protocol) return port;
  return 0;
}

bool is_protected(std::string_view protocol) {
  return protocol == "https" || protocol == "ftps" || protocol == "sftp" || protocol == "ssh" || protocol == "mqtts" || protocol == "wss" || protocol == "tls";
}

std::optional<effects::Endpoint> peer_of(const EffectModel& model, const Invocation& invocation, const Text* each) {
  std::optional<effects::Endpoint> peer;
  if (model.peer_from_endpoint) peer = invocation.endpoint;
  const Text name = first(model.peer, invocation, each);
  if (!name.empty()) {
    // A share without a host (":/export") is one whose host was not recovered.
    const bool lost = name.value.starts_with(':') || name.value.starts_with("//");
    peer = effects::endpoint_from_name(lost ? "${unknown}" : name.value, lost ? effects::Provenance::unknown : name.provenance);
    peer->origin = name.origin;
  }
  if (!model.peer_from_endpoint && !peer && (model.port || model.protocol)) return std::nullopt;
  if (!peer) return std::nullopt;
  const Text protocol = first(model.protocol, invocation, each), port = first(model.port, invocation, each);
  if (peer->protocol.empty()) peer->protocol = protocol.value;
  if (!peer->port) peer->port = port_number(port.value);
  if (!peer->port) peer->port = default_port(peer->protocol);
  return peer;
}

}  // namespace

Applied apply_model(const CommandModel& model, const Invocation& invocation) {
  Applied out;
  for (const EffectModel& part : model.effects) {
    std::vector<Text> rounds;
    if (part.each) rounds = part.each->evaluate(invocation);
    else rounds.emplace_back();
    for (const Text& round : rounds) {
      const Text* each = part.each ? &round : nullptr;
      bool holds = true;
      for (const auto& condition : part.when) holds = holds && condition.holds(invocation, each);
      if (!holds) continue;
      if (part.shell)
        for (Text& text : part.shell->evaluate(invocation, each))
          if (!text.empty()) out.shell_texts.push_back(std::move(text));
      if (!part.kind) continue;
      Effect effect;
      effect.kind = *part.kind;
      effect.object = first(part.object, invocation, each);
      effect.target = first(part.target, invocation, each);
      effect.peer = peer_of(part, invocation, each);
      if (!effect.peer && part.protocol) effect.notes["protocol"] = first(part.protocol, invocation, each).value;
      if (!effect.peer && part.port) effect.notes["port"] = first(part.port, invocation, each).value;
      for (const auto& [name, expression] : part.notes)
        if (const auto values = expression.evaluate(invocation, each); !values.empty()) {
          effect.notes[name] = values.front().value;
          const std::string& origin = values.front().origin;
          if (name == "secret" && effects::fixed(values.front().provenance) && origin.starts_with('/')) effect.notes["secret-origin"] = origin.substr(0, origin.find(": "));
        }
      effect.data = part.data;
      if (effect.peer && is_protected(effect.peer->protocol)) effect.notes["tls"] = "yes";
      out.effects.push_back(std::move(effect));
    }
  }
  return out;
}

}  // namespace derive

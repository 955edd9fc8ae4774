// One capture in, what the witness read out, as lines: a tool for those who work on the dissectors.
#include <cstdio>

#include <fmt/format.h>

#include "base/escape.h"
#include "witness/verdict.h"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  witness::Options options;
  options.show_secrets = argc > 2 && std::string_view(argv[2]) == "--show-secrets";
  const auto capture = witness::read(std::string(argv[1]), options);
  if (!capture) {
    fmt::print(stderr, "{}\n", base::escape_terminal(capture.error().message));
    return 3;
  }
  const auto e = [](std::string_view text) { return base::escape_terminal(text); };
  const auto frames = [](const std::vector<std::uint64_t>& all) {
    std::string out;
    for (std::size_t i = 0; i < all.size() && i < 12; ++i) out += (i ? "," : "") + std::to_string(all[i]);
    return out + (all.size() > 12 ? ",…" : "");
  };
  for (const auto& v : witness::judge(*capture))
    fmt::print("VERDICT {} {}: {} [{}]\n", v.severity, v.kind, e(v.title), frames(v.frames));
  for (const auto& o : capture->observations)
    fmt::print(
        "{:<16} {:<9} {} {} {}:{}/{} {} host={} object={} words={} class={} field={} answered={} n={} [{}]\n",
        witness::to_text(o.kind), o.protocol, o.device, o.inbound ? "<-" : "->", o.peer.address, o.peer.port,
        o.peer.protocol, o.peer.scope, e(o.peer.host), e(o.object), e(o.words), o.data_class, o.field,
        o.answered, o.count, frames(o.frames));
  for (const auto& f : capture->flows)
    fmt::print(
        "flow {} -> {}:{}/{} {} conns={} answered={} packets={} payload={}/{} exchanges={} mean={:.2f} "
        "cv={:.2f}\n",
        f.client, f.server, f.port, f.protocol, f.application, f.connections, f.answered, f.packets,
        f.client_payload, f.server_payload, f.exchanges, f.interval_mean, f.interval_cv);
  for (const auto& o : capture->objects)
    fmt::print("object {} {} {} {} bytes complete={} {} [{}]\n", o.protocol, o.type, e(o.name), o.size,
               o.complete, o.sha256, frames(o.frames));
  for (const auto& d : capture->devices) {
    fmt::print("device {} {} vendor={}", d.address, d.mac, e(d.vendor_class));
    for (const auto& name : d.names) fmt::print(" name={}", e(name));
    for (const auto& url : d.mud_urls) fmt::print(" mud={}", e(url));
    fmt::print("\n");
  }
  for (const auto& d : capture->doubts)
    fmt::print("doubt {} {} x{} at {}: {}\n", d.name, e(d.where), d.count, d.offset, e(d.detail));
  return 0;
}

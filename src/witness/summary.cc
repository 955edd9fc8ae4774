// What was counted and seen into the lists of a Capture, in their order.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "witness/engine.h"

namespace witness {

void Engine::conclude(std::uint32_t index) {
  finish_conversation(table_[index]);
  add_up(table_[index]);
  table_.remove(index);
}

void Engine::conclude_all() {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> open;
  for (std::uint32_t i = 0; i < table_.slots(); ++i)
    if (table_[i].used && table_[i].conversation) open.emplace_back(table_[i].id, i);
  std::sort(open.begin(), open.end());
  for (const auto& [id, index] : open) finish_conversation(table_[index]);
  for (std::uint32_t i = 0; i < table_.slots(); ++i)
    if (table_[i].used) add_up(table_[i]);
  if (options_.dissect) {
    conclude_rpc(world_);
    conclude_tftp(world_);
  }
  world_.conclude();
  if (rows_lost_)
    world_.doubt("flows-beyond-cap", "capture", 0,
                 fmt::format("{} connections are not in the list of flows", rows_lost_));
  if (capture_.stats.evicted_flows)
    world_.doubt("live-flows-beyond-cap", "capture", 0,
                 fmt::format("{} connections were concluded early", capture_.stats.evicted_flows));
  if (defragmenter_.dropped())
    world_.doubt("datagram-incomplete", "capture", 0,
                 fmt::format("{} fragmented datagrams never became whole", defragmenter_.dropped()));
  if (defragmenter_.overlaps())
    world_.doubt("fragments-overlap", "capture", 0,
                 fmt::format("{} fragments overlap others; the first stands", defragmenter_.overlaps()));
  write_rows();
  write_devices();
  std::vector<Observation>& all = capture_.observations;
  for (Observation& one : all) {
    std::sort(one.frames.begin(), one.frames.end());
    one.frames.erase(std::unique(one.frames.begin(), one.frames.end()), one.frames.end());
  }
  // Observations are large: their order is found first, then each is moved once.
  std::vector<std::uint32_t> order(all.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t i, std::uint32_t j) {
    const Observation &a = all[i], &b = all[j];
    const std::uint64_t x = a.frames.empty() ? 0 : a.frames.front(),
                        y = b.frames.empty() ? 0 : b.frames.front();
    if (x != y) return x < y;
    return std::tie(a.kind, a.protocol, a.device, a.peer.address, a.peer.port, a.object, a.field) <
           std::tie(b.kind, b.protocol, b.device, b.peer.address, b.peer.port, b.object, b.field);
  });
  std::vector<Observation> sorted;
  sorted.reserve(all.size());
  for (const std::uint32_t i : order) sorted.push_back(std::move(all[i]));
  all = std::move(sorted);
  std::stable_sort(capture_.objects.begin(), capture_.objects.end(), [](const Object& a, const Object& b) {
    return (a.frames.empty() ? 0 : a.frames.front()) < (b.frames.empty() ? 0 : b.frames.front());
  });
}

void Engine::write_rows() {
  std::stable_sort(rows_.begin(), rows_.end(),
                   [](const Row& a, const Row& b) { return a.first_frame < b.first_frame; });
  capture_.flows.reserve(rows_.size());
  for (Row& row : rows_) {
    if (row.connections == 0) continue;  // a wrong guess, corrected
    Conversation c;
    c.client = row.key.client;
    c.server = row.key.server;
    c.server_port = row.key.port;
    c.tcp = row.key.tcp;
    bool inbound = false;
    std::string device;
    const Peer peer = world_.peer_of(c, inbound, device);
    Flow flow;
    flow.client = world_.text(row.key.client);
    flow.server = world_.text(row.key.server);
    flow.port = row.key.port;
    flow.protocol = row.key.tcp ? "tcp" : "udp";
    flow.application = to_text(row.application);
    flow.host = inbound ? "" : peer.host;
    flow.looked_up = !inbound && peer.looked_up;
    flow.client_scope = scope_of(row.key.client);
    flow.server_scope = scope_of(row.key.server);
    flow.connections = row.connections;
    flow.answered = row.answered;
    flow.packets = row.packets;
    flow.bytes = row.bytes;
    flow.client_payload = row.payload[kFromClient];
    flow.server_payload = row.payload[kFromServer];
    flow.first_frame = row.first_frame;
    flow.last_frame = row.last_frame;
    flow.first_time = static_cast<double>(row.first_time) / 1e9;
    flow.last_time = static_cast<double>(row.last_time) / 1e9;
    flow.exchanges = row.exchanges;
    flow.interval_mean = row.mean;
    if (row.exchanges > 2 && row.mean > 0)
      flow.interval_cv = std::sqrt(row.square / static_cast<double>(row.exchanges - 2)) / row.mean;
    if (options_.dissect) {
      const bool silent = row.answered == 0;
      if (row.key.tcp && silent && row.began)
        world_.tell(c, row.first_frames, row.first_time,
                    {.kind = Kind::attempt,
                     .protocol = "tcp",
                     .words = fmt::format("{} connections", row.connections)});
      else if (row.key.tcp || row.answered > 0)
        world_.tell(c, {row.first_frame}, row.first_time,
                    {.kind = Kind::connect,
                     .protocol = flow.application.empty() ? flow.protocol : flow.application,
                     .answered = row.answered > 0});
    }
    capture_.flows.push_back(std::move(flow));
  }
}

void Engine::write_devices() {
  for (const auto& [address, note] : world_.notes) devices_.try_emplace(address);
  for (const Row& row : rows_) {
    if (const auto at = devices_.find(row.key.client); at != devices_.end()) {
      at->second.packets += row.packets;
      at->second.bytes += row.bytes;
    }
    if (const auto at = devices_.find(row.key.server); at != devices_.end()) {
      at->second.packets += row.packets;
      at->second.bytes += row.bytes;
    }
  }
  std::vector<std::pair<Address, DeviceCount>> order(devices_.begin(), devices_.end());
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [address, count] : order) {
    Device device;
    device.address = world_.text(address);
    if (count.has_mac) device.mac = mac_text(count.mac);
    device.first_frame = count.first_frame;
    device.first_time = static_cast<double>(count.first_time) / 1e9;
    device.packets = count.packets;
    device.bytes = count.bytes;
    if (const auto note = world_.notes.find(address); note != world_.notes.end()) {
      device.names = note->second.names;
      std::sort(device.names.begin(), device.names.end());
      device.mud_urls = note->second.mud_urls;
      device.vendor_class = note->second.vendor;
    }
    capture_.devices.push_back(std::move(device));
  }
}

}  // namespace witness

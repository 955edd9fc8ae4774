// Names and contents from decoders into one buffer, under a budget. See sink.h.
#include "unpack/sink.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "unpack/wire.h"

namespace unpack {

constexpr std::uint64_t kMostViews = 8, kViewFloor = std::uint64_t{64} << 20;
constexpr std::uint64_t kMostExpected = std::uint64_t{48} << 20;  // bytes reserved on a guess

Sink::Sink(base::ByteView source, std::uint64_t chunk_size, const Allowance& allowance)
    : source_(source),
      left_(allowance),
      most_(std::max(allowance.ratio_floor,
                     base::checked_mul(std::max<std::uint64_t>(chunk_size, 1), allowance.ratio).value_or(UINT64_MAX))),
      expected_(base::checked_mul<std::uint64_t>(chunk_size, 3).value_or(UINT64_MAX)) {}

bool Sink::charge(std::uint64_t bytes) {
  if (full_) return false;
  if (bytes > left_.bytes || bytes > most_ - used_) {
    full_ = true;
    doubt("over-budget", 0, fmt::format("stopped after {} bytes: {}", used_,
                                        bytes > left_.bytes ? "the budget for contents is used up"
                                                            : "the contents are out of proportion to the packed bytes"));
    return false;
  }
  left_.bytes -= bytes;
  used_ += bytes;
  return true;
}

// A view costs no memory, but each is looked into: an image may show its bytes some times over, not without end.
bool Sink::charge_view(std::uint64_t bytes) {
  if (full_) return false;
  viewed_ += bytes;
  if (viewed_ <= source_.size() * kMostViews + kViewFloor) return true;
  full_ = true;
  doubt("over-budget", 0, "stopped: the contents overlap each other too often");
  return false;
}

bool Sink::in_source(base::ByteView bytes) const {
  const std::less_equal<const std::uint8_t*> before;
  return !bytes.empty() && before(source_.data(), bytes.data()) && before(bytes.data() + bytes.size(), source_.data() + source_.size());
}

// The open item was a view so far, and what comes now is none.
bool Sink::copy_view() {
  const std::uint64_t size = std::exchange(view_size_, 0);
  if (size == 0) return true;
  if (!charge(size)) return false;
  make_room(size);
  const base::ByteView bytes = source_.subspan(view_at_, size);
  data_.insert(data_.end(), bytes.begin(), bytes.end());
  return true;
}

bool Sink::charge_file() {
  if (full_) return false;
  if (left_.files > 0) {
    --left_.files;
    return true;
  }
  full_ = true;
  doubt("over-budget", 0, "stopped: the budget for files is used up");
  return false;
}

void Sink::add(Item item, base::ByteView contents) {
  if (!charge_file()) return;
  item.size = contents.size();
  if (in_source(contents)) {
    if (!charge_view(contents.size())) return;
    item.contents = Item::Contents::view;
    item.offset = static_cast<std::uint64_t>(contents.data() - source_.data());
  } else {
    if (!charge(contents.size())) return;
    item.contents = Item::Contents::inline_data;
    item.offset = data_.size();
    data_.insert(data_.end(), contents.begin(), contents.end());
  }
  item.node.size = item.size;
  items_.push_back(std::move(item));
}

void Sink::node(Node node) {
  if (!charge_file()) return;
  Item item;
  item.is_node = true;
  item.node = std::move(node);
  items_.push_back(std::move(item));
}

void Sink::file(Node node, base::ByteView contents) {
  Item item;
  item.is_node = true;
  item.node = std::move(node);
  add(std::move(item), contents);
}

void Sink::blob(std::string name, base::ByteView contents) {
  Item item;
  item.name = std::move(name);
  add(std::move(item), contents);
}

void Sink::begin_file(Node node) {
  item_ = {};
  item_.is_node = true;
  item_.node = std::move(node);
  open_ = true;
  open_at_ = data_.size();
  view_size_ = 0;
  dropped_ = !charge_file();
}

void Sink::begin_blob(std::string name) {
  begin_file({});
  item_.is_node = false;
  item_.name = std::move(name);
}

void Sink::append(base::ByteView bytes) {
  if (dropped_ || bytes.empty()) return;
  if (data_.size() == open_at_ && in_source(bytes)) {
    const auto at = static_cast<std::uint64_t>(bytes.data() - source_.data());
    if (view_size_ == 0) view_at_ = at;
    if (at == view_at_ + view_size_) {
      if (charge_view(bytes.size())) view_size_ += bytes.size();
      return;
    }
  }
  if (!copy_view() || !charge(bytes.size())) return;
  make_room(bytes.size());
  data_.insert(data_.end(), bytes.begin(), bytes.end());
}

void Sink::append_zeros(std::uint64_t count) {
  if (dropped_ || !copy_view() || !charge(count)) return;
  make_room(count);
  data_.resize(data_.size() + count);
}

// Grows in few steps: contents are mostly some times as large as the chunk.
void Sink::make_room(std::uint64_t more) {
  const std::size_t wanted = data_.size() + more;
  if (data_.capacity() >= wanted) return;
  data_.reserve(std::max<std::size_t>({wanted, data_.capacity() * 2, static_cast<std::size_t>(std::min(expected_, kMostExpected))}));
}

std::span<std::uint8_t> Sink::room(std::uint64_t size) {
  if (dropped_ || !copy_view() || !charge(size)) return {};
  const std::size_t before = data_.size();
  make_room(size);
  data_.resize(before + size);
  item_.size = size;  // what commit() may give back
  return std::span(data_).subspan(before);
}

void Sink::commit(std::uint64_t filled) {
  const std::uint64_t unused = item_.size - std::min(filled, item_.size);
  data_.resize(data_.size() - unused);
  left_.bytes += unused;
  used_ -= unused;
  item_.size = 0;
}

void Sink::end() {
  open_ = false;
  if (dropped_) return;
  const bool view = view_size_ > 0;
  item_.contents = view ? Item::Contents::view : Item::Contents::inline_data;
  item_.offset = view ? view_at_ : open_at_;
  item_.size = open_size();
  view_size_ = 0;
  item_.node.size = item_.size;
  items_.push_back(std::move(item_));
  item_ = {};
}

void Sink::drop() {
  open_ = false;
  view_size_ = 0;
  left_.bytes += open_size();
  used_ -= open_size();
  data_.resize(open_at_);
}

void Sink::doubt(std::string name, std::uint64_t offset, std::string detail) {
  for (auto& known : doubts_)
    if (known.name == name) {
      ++known.count;
      return;
    }
  doubts_.push_back({std::move(name), "", offset, std::move(detail), 1});
}

Yield Sink::take() {
  Yield out{std::move(items_), std::move(doubts_), std::move(data_)};
  items_.clear();
  doubts_.clear();
  data_.clear();
  return out;
}

namespace {

void write_item(WireWriter& wire, const Item& item) {
  wire.u8(item.is_node);
  wire.u8(static_cast<std::uint8_t>(item.contents));
  wire.u64(item.offset);
  wire.u64(item.size);
  if (!item.is_node) return wire.text(item.name);
  const Node& node = item.node;
  wire.text(node.path);
  wire.u8(static_cast<std::uint8_t>(node.type));
  for (const std::uint32_t value : {node.mode, node.uid, node.gid, node.major, node.minor}) wire.u32(value);
  wire.u64(static_cast<std::uint64_t>(node.mtime));
  wire.u64(node.size);
  wire.u64(node.inode);
  wire.text(node.link_target);
  wire.u32(static_cast<std::uint32_t>(node.xattrs.size()));
  for (const auto& [name, value] : node.xattrs) {
    wire.text(name);
    wire.text(value);
  }
}

bool valid_path(std::string_view path) {
  return path.starts_with('/') && path.find('\0') == std::string_view::npos && base::normal_path(path) == path;
}

bool read_node(WireReader& wire, Item& item) {
  Node& node = item.node;
  node.path = wire.text();
  const std::uint8_t type = wire.u8();
  if (type > static_cast<std::uint8_t>(NodeType::socket)) return false;
  node.type = static_cast<NodeType>(type);
  for (std::uint32_t* value : {&node.mode, &node.uid, &node.gid, &node.major, &node.minor}) *value = wire.u32();
  node.mode &= 07777;
  node.mtime = static_cast<std::int64_t>(wire.u64());
  node.size = wire.u64();
  node.inode = wire.u64();
  node.link_target = wire.text();
  for (std::uint32_t left = wire.u32(); left > 0 && wire.ok(); --left) {
    const std::string name = wire.text();
    node.xattrs[name] = wire.text();
  }
  return wire.ok() && valid_path(node.path);
}

bool read_item(WireReader& wire, Item& item, std::uint64_t data_size, std::uint64_t source_size) {
  item.is_node = wire.u8() != 0;
  const std::uint8_t contents = wire.u8();
  if (contents > static_cast<std::uint8_t>(Item::Contents::view)) return false;
  item.contents = static_cast<Item::Contents>(contents);
  item.offset = wire.u64();
  item.size = wire.u64();
  const std::uint64_t whole = item.contents == Item::Contents::view ? source_size : data_size;
  if (item.contents != Item::Contents::none && !base::in_bounds(item.offset, item.size, whole)) return false;
  if (item.is_node) return read_node(wire, item);
  item.name = wire.text();
  return wire.ok();
}

}  // namespace

// Layout: data, then the table, then the table's length (u64): the data need not be moved to be used.
base::Bytes write_yield(Yield yield) {
  WireWriter wire;
  wire.u32(static_cast<std::uint32_t>(yield.items.size()));
  for (const auto& item : yield.items) write_item(wire, item);
  wire.doubts(yield.doubts);
  const std::uint64_t length = wire.bytes().size();
  wire.u64(length);
  base::Bytes out = std::move(yield.data);
  out.insert(out.end(), wire.bytes().begin(), wire.bytes().end());
  return out;
}

base::Result<Yield> read_yield(base::Bytes bytes, std::uint64_t source_size) {
  const auto lie = [] { return base::fail(base::Error::Kind::internal, "the worker's answer contradicts itself"); };
  const auto length = bytes.size() < 8 ? std::nullopt : base::load<std::uint64_t>(bytes, bytes.size() - 8, base::ByteOrder::little);
  if (!length || *length > bytes.size() - 8) return lie();
  const std::uint64_t data_size = bytes.size() - 8 - *length;
  Yield out;
  WireReader wire(base::ByteView(bytes).subspan(data_size, *length));
  for (std::uint32_t left = wire.u32(); left > 0; --left) {
    Item item;
    if (!read_item(wire, item, data_size, source_size)) return lie();
    out.items.push_back(std::move(item));
  }
  out.doubts = wire.doubts();
  if (!wire.ok()) return lie();
  bytes.resize(data_size);
  out.data = std::move(bytes);
  return out;
}

}  // namespace unpack

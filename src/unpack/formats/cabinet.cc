// Microsoft Cabinet into names and contents, through libmspack: libarchive 3.6.2's reader of the same format can be
// crashed by a damaged one. Source: [MS-CAB].
#include <mspack.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteView;
using base::Error;

constexpr std::size_t kMostMembers = 65'536;  // the header's count has 16 bits
constexpr const char* kCabinet = "cabinet";

std::optional<Chunk> measure_cab(ByteView blob, std::uint64_t at) {  // [MS-CAB] 2.1
  const auto size = base::load_le32(blob, at + 8), first = base::load_le32(blob, at + 16);
  if (!size || !first || *size < 36 || *first >= *size || base::load_le32(blob, at + 4) != 0U) return std::nullopt;
  Chunk chunk;
  chunk.offset = at;
  chunk.size = *size;
  clip_to_blob(chunk, blob);
  return chunk;
}

// The library's way to the world: it reads the cabinet from memory and writes into the sink, and knows no file.
struct World : mspack_system {
  ByteView bytes;
  Sink* sink = nullptr;
};

struct Handle : mspack_file {
  World* world = nullptr;
  bool output = false;
  std::uint64_t at = 0;
};

mspack_file* open_handle(mspack_system* self, const char* name, int mode) {
  auto handle = std::make_unique<Handle>();
  handle->world = static_cast<World*>(self);
  handle->output = mode == MSPACK_SYS_OPEN_WRITE;
  if (!handle->output && std::string_view(name) != kCabinet) return nullptr;  // a further volume
  return handle.release();
}

void close_handle(mspack_file* file) { std::unique_ptr<Handle>(static_cast<Handle*>(file)).reset(); }

int read_handle(mspack_file* file, void* buffer, int count) {
  auto& handle = *static_cast<Handle*>(file);
  if (handle.output || count < 0) return -1;
  const ByteView part = base::clipped(handle.world->bytes, handle.at, static_cast<std::uint64_t>(count));
  if (!part.empty()) std::memcpy(buffer, part.data(), part.size());
  handle.at += part.size();
  return static_cast<int>(part.size());
}

int write_handle(mspack_file* file, void* buffer, int count) {
  auto& handle = *static_cast<Handle*>(file);
  if (!handle.output || count < 0 || handle.world->sink->full()) return -1;
  handle.world->sink->append({static_cast<const std::uint8_t*>(buffer), static_cast<std::size_t>(count)});
  handle.at += static_cast<std::uint64_t>(count);
  return count;
}

int seek_handle(mspack_file* file, off_t offset, int mode) {
  auto& handle = *static_cast<Handle*>(file);
  const auto size = static_cast<off_t>(handle.world->bytes.size());
  const off_t from = mode == MSPACK_SYS_SEEK_CUR ? static_cast<off_t>(handle.at) : mode == MSPACK_SYS_SEEK_END ? size : 0;
  off_t to = 0;
  if (handle.output || __builtin_add_overflow(from, offset, &to) || to < 0 || to > size) return -1;
  handle.at = static_cast<std::uint64_t>(to);
  return 0;
}

off_t tell_handle(mspack_file* file) { return static_cast<off_t>(static_cast<Handle*>(file)->at); }
void say_nothing(mspack_file*, const char*, ...) {}
void* allocate(mspack_system*, std::size_t count) { return std::calloc(1, count); }
void copy(void* from, void* to, std::size_t count) { std::memcpy(to, from, count); }

std::string_view reason(int code) {
  switch (code) {
    case MSPACK_ERR_READ:
    case MSPACK_ERR_SEEK: return "the cabinet ends early";
    case MSPACK_ERR_SIGNATURE:
    case MSPACK_ERR_DATAFORMAT: return "the headers contradict themselves";
    case MSPACK_ERR_CHECKSUM: return "a checksum does not hold";
    case MSPACK_ERR_OPEN: return "the rest is in another volume";
    case MSPACK_ERR_NOMEMORY: return "not enough memory";
    default: return "the compressed bytes are damaged";
  }
}

std::int64_t seconds_since_1970(const mscabd_file& file) {
  std::tm when{};
  when.tm_year = file.date_y - 1900;
  when.tm_mon = file.date_m - 1;
  when.tm_mday = file.date_d;
  when.tm_hour = file.time_h;
  when.tm_min = file.time_m;
  when.tm_sec = file.time_s;
  return timegm(&when);
}

base::Result<void> extract_cab(ByteView blob, const Chunk& chunk, Sink& sink) {
  World world;
  static_cast<mspack_system&>(world) = {open_handle, close_handle, read_handle, write_handle, seek_handle, tell_handle,
                                        say_nothing, allocate, std::free, copy, nullptr};
  world.bytes = blob.subspan(chunk.offset, chunk.size);
  world.sink = &sink;
  const std::unique_ptr<mscab_decompressor, void (*)(mscab_decompressor*)> reader(mspack_create_cab_decompressor(&world),
                                                                                 mspack_destroy_cab_decompressor);
  if (!reader) return base::fail(Error::Kind::internal, "libmspack cannot start");
  const auto close = [&](mscabd_cabinet* opened) { reader->close(reader.get(), opened); };
  const std::unique_ptr<mscabd_cabinet, decltype(close)> cabinet(reader->open(reader.get(), kCabinet), close);
  if (!cabinet) return base::fail(Error::Kind::damaged, std::string(reason(reader->last_error(reader.get()))));
  std::size_t count = 0;
  for (mscabd_file* file = cabinet->files; file && count < kMostMembers && !sink.full(); file = file->next, ++count) {
    Node node;
    std::string name = file->filename ? file->filename : "";
    for (char& c : name) c = c == '\\' ? '/' : c;
    node.path = member_path(name, sink, chunk.offset);
    node.mode = file->attribs & MSCAB_ATTRIB_EXEC ? 0755 : file->attribs & MSCAB_ATTRIB_RDONLY ? 0444 : 0644;
    node.mtime = seconds_since_1970(*file);
    sink.begin_file(std::move(node));
    const int code = reader->extract(reader.get(), file, "out");
    sink.end();
    if (code != MSPACK_ERR_OK && !sink.full())
      sink.doubt("damaged-member", chunk.offset, fmt::format("{}: {}", base::escape_bytes(name), reason(code)));
  }
  return {};
}

}  // namespace

const Format cab_format = {.name = "cab", .title = "Microsoft Cabinet", .reference = "[MS-CAB]; libmspack", .limits = "one volume",
                           .kind = Format::Kind::archive, .magics = {{{"MSCF"}}}, .measure = measure_cab, .extract = extract_cab};

}  // namespace unpack

// libpcap over a plain file, a gzip file or bytes in memory.
#include "witness/source.h"

#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include <fmt/format.h>

namespace witness {
namespace {

using base::Error;

constexpr std::size_t kBuffer = 1u << 18;

ssize_t gz_read(void* cookie, char* buffer, size_t size) {
  const int got =
      gzread(static_cast<gzFile>(cookie), buffer, static_cast<unsigned>(std::min<size_t>(size, 1u << 20)));
  // A compressed file that is cut ends where it is cut.
  return got < 0 ? 0 : got;
}
int gz_close(void* cookie) { return gzclose(static_cast<gzFile>(cookie)) == Z_OK ? 0 : EOF; }

bool is_gzip(FILE* file) {
  std::array<unsigned char, 2> magic{};
  const bool yes = std::fread(magic.data(), 1, 2, file) == 2 && magic[0] == 0x1F && magic[1] == 0x8B;
  std::rewind(file);
  return yes;
}

// Bytes that the caller holds, and what unpacks them where they are gzip (RFC 1952), member after member.
struct Memory {
  base::ByteView bytes;
  std::size_t at = 0;
  std::unique_ptr<z_stream> unpacking = {};
};

// A compressed file that is cut or damaged ends there.
ssize_t inflate_some(Memory& memory, char* buffer, std::size_t size) {
  z_stream& z = *memory.unpacking;
  z.next_out = reinterpret_cast<Bytef*>(buffer);
  z.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1u << 20));
  const uInt room = z.avail_out;
  while (z.avail_out == room) {
    // zlib counts in 32 bits: large input goes in piecewise. It does not write through next_in.
    const base::ByteView rest = base::clipped(memory.bytes, memory.at, 1u << 30);
    z.next_in = const_cast<Bytef*>(rest.data());
    z.avail_in = static_cast<uInt>(rest.size());
    const int state = inflate(&z, Z_NO_FLUSH);
    memory.at += rest.size() - z.avail_in;
    if (state == Z_STREAM_END && memory.at < memory.bytes.size() && inflateReset(&z) == Z_OK) continue;
    if (state != Z_OK) break;
  }
  return static_cast<ssize_t>(room - z.avail_out);
}

ssize_t memory_read(void* cookie, char* buffer, size_t size) {
  auto* memory = static_cast<Memory*>(cookie);
  if (memory->unpacking) return inflate_some(*memory, buffer, size);
  const std::size_t take = std::min(size, memory->bytes.size() - memory->at);
  if (take) std::memcpy(buffer, memory->bytes.data() + memory->at, take);
  memory->at += take;
  return static_cast<ssize_t>(take);
}
int memory_close(void* cookie) {
  const std::unique_ptr<Memory> memory(static_cast<Memory*>(cookie));
  if (memory->unpacking) inflateEnd(memory->unpacking.get());
  return 0;
}

base::Result<pcap_t*> start(FILE* file, const std::string& name) {
  std::setvbuf(file, nullptr, _IOFBF, kBuffer);
  std::array<char, PCAP_ERRBUF_SIZE> why{};
  pcap_t* handle = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why.data());
  if (!handle) {
    std::fclose(file);
    return base::fail(Error::Kind::damaged,
                      fmt::format("{}: not a capture that libpcap reads: {}", name, why.data()));
  }
  return handle;
}

}  // namespace

base::Result<Source> Source::open(const std::string& path) {
  FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) return base::fail(Error::Kind::unreadable, fmt::format("{}: {}", path, std::strerror(errno)));
  if (is_gzip(file)) {
    std::fclose(file);
    gzFile compressed = gzopen(path.c_str(), "rb");
    if (!compressed)
      return base::fail(Error::Kind::unreadable, fmt::format("{}: {}", path, std::strerror(errno)));
    gzbuffer(compressed, kBuffer);
    file = fopencookie(compressed, "rb", cookie_io_functions_t{gz_read, nullptr, nullptr, gz_close});
    if (!file) {
      gzclose(compressed);
      return base::fail(Error::Kind::internal, path + ": no stream over the compressed file");
    }
  }
  auto handle = start(file, path);
  if (!handle) return std::unexpected(handle.error());
  Source out;
  out.handle_.reset(*handle);
  return out;
}

base::Result<Source> Source::open(base::ByteView bytes) {
  auto memory = std::make_unique<Memory>(Memory{bytes});
  if (bytes.size() > 2 && bytes[0] == 0x1F && bytes[1] == 0x8B) {
    memory->unpacking = std::make_unique<z_stream>();
    if (inflateInit2(memory->unpacking.get(), 15 + 16) != Z_OK)  // 16: a gzip header is expected
      return base::fail(Error::Kind::internal, "zlib could not start");
  }
  FILE* file =
      fopencookie(memory.get(), "rb", cookie_io_functions_t{memory_read, nullptr, nullptr, memory_close});
  if (!file) {
    if (memory->unpacking) inflateEnd(memory->unpacking.get());
    return base::fail(Error::Kind::internal, "no stream over memory");
  }
  (void)memory.release();  // memory_close frees it
  auto handle = start(file, "capture");
  if (!handle) return std::unexpected(handle.error());
  Source out;
  out.handle_.reset(*handle);
  return out;
}

Source::Next Source::next(Frame& frame) {
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  const int got = pcap_next_ex(handle_.get(), &header, &data);
  if (got == 1) {
    frame.bytes = {data, header->caplen};
    frame.size = header->len;
    // With nanosecond precision tv_usec holds nanoseconds.
    frame.time = static_cast<std::uint64_t>(header->ts.tv_sec) * 1'000'000'000u +
                 static_cast<std::uint64_t>(header->ts.tv_usec);
    return Next::frame;
  }
  if (got == PCAP_ERROR_BREAK) return Next::end;
  return problem().find("truncated") != std::string::npos ? Next::cut : Next::broken;
}

std::string Source::problem() const { return pcap_geterr(handle_.get()); }

int Source::link_type() const { return pcap_datalink(handle_.get()); }

}  // namespace witness

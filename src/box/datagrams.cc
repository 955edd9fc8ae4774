// Datagrams in, what a server would answer out. Requests come from the payload: every length is checked.
#include <ctime>

#include "base/bytes.h"
#include "box/sinks.h"

namespace box {
namespace {

class Out {
 public:
  Out& u8(unsigned v) { return text_ += static_cast<char>(v), *this; }
  Out& u16(unsigned v) { return u8(v >> 8 & 0xff).u8(v & 0xff); }
  Out& u32(std::uint32_t v) { return u16(v >> 16).u16(v & 0xffff); }
  Out& raw(std::string_view v) { return text_ += v, *this; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// Bytes of the name at `at`, labels and final zero; 0 when it is none.
std::size_t name_length(std::string_view query, std::size_t at) {
  const std::size_t start = at;
  while (at < query.size() && at - start < 256) {
    const auto length = static_cast<unsigned char>(query[at]);
    if (length == 0) return at + 1 - start;
    if (length > 63) return 0;
    at += 1 + length;
  }
  return 0;
}

// One address for each name, stable within a run and beyond: 198.18.0.0/15 is for benchmarks (RFC 2544) and nobody's.
std::uint32_t address_of(std::string_view name) {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return 0xc6120000u | (hash & 0x1ffff);
}

constexpr std::uint32_t kPortmap = 100000, kNfs = 100003, kMount = 100005;
constexpr std::uint32_t kNfsPort = 2049, kMountPort = 635;

std::uint32_t skip_auth(base::ByteReader& in) {
  in.u32();
  const std::uint32_t length = in.u32();
  in.take((std::uint64_t{length} + 3) & ~std::uint64_t{3});
  return length;
}

}  // namespace

// RFC 1035: the first question is answered, A with an address, everything else with no record.
std::string dns_answer(std::string_view query) {
  constexpr std::size_t kHeader = 12;
  if (query.size() < kHeader || (query[2] & 0x80) != 0) return {};
  const std::size_t name = name_length(query, kHeader);
  if (name == 0 || query.size() < kHeader + name + 4) return {};
  const std::string_view question = query.substr(kHeader, name + 4);
  const bool address = question.substr(name) == std::string_view("\0\1\0\1", 4);
  Out out;
  out.raw(query.substr(0, 2)).u16(0x8580).u16(1).u16(address ? 1 : 0).u16(0).u16(0).raw(question);
  if (address) out.u16(0xc000 | kHeader).u16(1).u16(1).u32(300).u16(4).u32(address_of(question.substr(0, name)));
  return out.take();
}

// RFC 5531 over the programs of RFC 1833 (port mapper) and RFC 1813, appendix I (MOUNT). NFS itself is only pinged: the
// share's files are put into the mount point instead.
std::string rpc_answer(std::string_view call) {
  base::ByteReader in(base::as_bytes(call), base::ByteOrder::big);
  const std::uint32_t id = in.u32(), type = in.u32(), rpc = in.u32(), program = in.u32(), version = in.u32(), procedure = in.u32();
  skip_auth(in);
  skip_auth(in);
  if (!in.ok() || type != 0 || rpc != 2) return {};
  Out out;
  out.u32(id).u32(1).u32(0).u32(0).u32(0);
  constexpr std::uint32_t kSuccess = 0, kNoProcedure = 3;
  if (procedure == 0) return out.u32(kSuccess).take();
  if (program == kPortmap && procedure == 3) {
    const std::uint32_t wanted = in.u32();
    return out.u32(kSuccess).u32(wanted == kNfs ? kNfsPort : wanted == kMount ? kMountPort : 0).take();
  }
  const std::string handle(32, 'c');
  if (program == kMount && procedure == 1) {
    out.u32(kSuccess).u32(0);
    if (version >= 3) out.u32(32).raw(handle).u32(1).u32(1);
    else out.raw(handle);
    return out.take();
  }
  if (program == kMount && procedure == 3) return out.u32(kSuccess).take();
  return out.u32(kNoProcedure).take();
}

// RFC 1350, one block; options (RFC 2347) are not acknowledged, which a client must accept.
std::string tftp_answer(std::string_view request, std::string_view canary) {
  if (request.size() < 4 || request[0] != 0) return {};
  Out out;
  if (request[1] == 1) return out.u16(3).u16(1).raw(canary.substr(0, 500)).take();
  if (request[1] == 2) return out.u16(4).u16(0).take();
  if (request[1] == 3) return out.u16(4).raw(request.substr(2, 2)).take();
  return {};
}

// RFC 5905, a server of stratum 1 with this machine's clock.
std::string ntp_answer(std::string_view request) {
  if (request.size() < 48) return {};
  const auto now = static_cast<std::uint32_t>(std::time(nullptr) + 2208988800);
  Out out;
  out.u8(0x24).u8(1).u8(6).u8(0xec).u32(0).u32(0).raw("BOX").u8(0).u32(now).u32(0).raw(request.substr(40, 8)).u32(now).u32(0).u32(now).u32(0);
  return out.take();
}

}  // namespace box

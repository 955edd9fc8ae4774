#include "tuf/fetch.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "tuf/key.h"

namespace tuf {
namespace {

// One transfer's state, reached from libcurl's callbacks.
struct Transfer {
  CURL* handle = nullptr;
  const Sink* sink = nullptr;
  std::uint64_t limit = 0;
  std::uint64_t received = 0;
  bool too_long = false;
  bool refused = false;
};

constexpr std::uint64_t aside_limit =
    1U << 20;  // bytes of error pages and redirects' bodies that are borne with

long status_of(CURL* handle) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

std::size_t take_body(char* data, std::size_t, std::size_t length, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (status_of(transfer.handle) != 200) return length;  // not the file; watch() counts it
  transfer.too_long = length > transfer.limit - transfer.received;
  if (transfer.too_long) return 0;
  transfer.received += length;
  transfer.refused = !(*transfer.sink)({data, length});
  return transfer.refused ? 0 : length;
}

// Sees what take_body() does not: lengths announced, and bodies that libcurl passes over while it follows a
// redirect.
int watch(void* user, curl_off_t announced, curl_off_t received, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  const auto past = [](curl_off_t bytes, std::uint64_t limit) {
    return bytes > 0 && static_cast<std::uint64_t>(bytes) > limit;
  };
  if (past(received, std::max(transfer.limit, aside_limit))) transfer.too_long = true;
  if (status_of(transfer.handle) == 200 && past(announced, transfer.limit)) transfer.too_long = true;
  return transfer.too_long ? 1 : 0;
}

// Header bytes have no limit of their own in this libcurl; a mebibyte of them is none that we want.
std::size_t take_header(char*, std::size_t, std::size_t length, void* user) {
  auto& count = *static_cast<std::uint64_t*>(user);
  count += length;
  return count > (1U << 20) ? 0 : length;
}

class CurlFetcher final : public Fetcher {
 public:
  explicit CurlFetcher(const FetchLimits& limits) : limits_(limits) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    curl_ = curl_easy_init();
  }
  ~CurlFetcher() override { curl_easy_cleanup(curl_); }
  CurlFetcher(const CurlFetcher&) = delete;
  CurlFetcher& operator=(const CurlFetcher&) = delete;

  Result<void> fetch(const std::string& url, std::uint64_t limit, const Sink& sink) override {
    if (url.starts_with("file://")) return read_local(url, limit, sink);
    if (!url.starts_with("http://") && !url.starts_with("https://"))
      return fail(Error::Kind::unreachable, fmt::format("{}: not an http, https or file URL", url));
    if (curl_ == nullptr) return fail(Error::Kind::unreachable, "libcurl could not be set up");
    Transfer transfer{.handle = curl_, .sink = &sink, .limit = limit};
    std::uint64_t header_bytes = 0;
    std::array<char, CURL_ERROR_SIZE> reason{};
    set_options(url, limit, transfer, header_bytes, reason.data());
    const CURLcode code = curl_easy_perform(curl_);
    return outcome(url, code, status_of(curl_), transfer,
                   reason[0] != '\0' ? reason.data() : curl_easy_strerror(code));
  }

 private:
  void set_options(const std::string& url, std::uint64_t limit, Transfer& transfer,
                   std::uint64_t& header_bytes, char* reason) {
    curl_easy_reset(curl_);
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_PATH_AS_IS, 1L);  // what was signed for is what is asked for
    curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl_, CURLOPT_REDIR_PROTOCOLS_STR, url.starts_with("https:") ? "https" : "http,https");
    curl_easy_setopt(curl_, CURLOPT_FOLLOWLOCATION, limits_.redirects > 0 ? 1L : 0L);
    curl_easy_setopt(curl_, CURLOPT_MAXREDIRS, limits_.redirects);
    curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS, limits_.connect_ms);
    curl_easy_setopt(curl_, CURLOPT_LOW_SPEED_LIMIT, limits_.least_rate);
    curl_easy_setopt(curl_, CURLOPT_LOW_SPEED_TIME, limits_.stall_seconds);
    const auto megabytes = static_cast<long>(std::min<std::uint64_t>(limit / 1'000'000, 100'000));
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, limits_.total_ms + megabytes * limits_.ms_per_megabyte);
    curl_easy_setopt(curl_, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl_, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(curl_, CURLOPT_XFERINFODATA, &transfer);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(curl_, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl_, CURLOPT_HEADERDATA, &header_bytes);
  }

  static Result<void> outcome(const std::string& url, CURLcode code, long status, const Transfer& transfer,
                              const char* reason) {
    if (transfer.refused)
      return fail(Error::Kind::storage, fmt::format("{}: the bytes could not be kept", url));
    if (status == 404 || status == 403 || status == 410)
      return fail(Error::Kind::not_found, fmt::format("{}: HTTP status {}", url, status));
    if (transfer.too_long)
      return fail(Error::Kind::too_long, fmt::format("{}: more than {} bytes", url, transfer.limit));
    if (code == CURLE_OPERATION_TIMEDOUT)
      return fail(Error::Kind::too_slow, fmt::format("{}: {}", url, reason));
    if (code != CURLE_OK) return fail(Error::Kind::unreachable, fmt::format("{}: {}", url, reason));
    if (status != 200) return fail(Error::Kind::unreachable, fmt::format("{}: HTTP status {}", url, status));
    return {};
  }

  static Result<void> read_local(const std::string& url, std::uint64_t limit, const Sink& sink) {
    std::string path;
    const std::string_view rest = std::string_view(url).substr(7);
    for (std::size_t i = 0; i < rest.size(); ++i) {
      const auto byte = rest[i] == '%' ? from_hex(rest.substr(i + 1, 2)) : std::nullopt;
      if (byte && byte->size() == 1) i += 2;
      path += byte && byte->size() == 1 ? byte->front() : rest[i];
    }
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
      return fail(errno == ENOENT || errno == ENOTDIR ? Error::Kind::not_found : Error::Kind::unreachable,
                  fmt::format("{}: {}", path, std::strerror(errno)));
    Result<void> result;
    struct stat info{};
    if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
      result = fail(Error::Kind::unreachable, fmt::format("{}: not a regular file", path));
    std::array<char, 1 << 16> chunk{};
    for (std::uint64_t received = 0; result;) {
      const ssize_t got = ::read(fd, chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) result = fail(Error::Kind::unreachable, fmt::format("{}: {}", path, std::strerror(errno)));
      if (got <= 0) break;
      received += static_cast<std::uint64_t>(got);
      if (received > limit)
        result = fail(Error::Kind::too_long, fmt::format("{}: more than {} bytes", path, limit));
      else if (!sink({chunk.data(), static_cast<std::size_t>(got)}))
        result = fail(Error::Kind::storage, fmt::format("{}: the bytes could not be kept", path));
    }
    ::close(fd);
    return result;
  }

  FetchLimits limits_;
  CURL* curl_ = nullptr;
};

}  // namespace

std::unique_ptr<Fetcher> make_fetcher(const FetchLimits& limits) {
  return std::make_unique<CurlFetcher>(limits);
}

Result<std::string> fetch_all(Fetcher& fetcher, const std::string& url, std::uint64_t limit) {
  std::string out;
  const auto done = fetcher.fetch(url, limit, [&](std::string_view bytes) {
    out += bytes;
    return true;
  });
  if (!done) return std::unexpected(done.error());
  return out;
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain || keep.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

}  // namespace tuf

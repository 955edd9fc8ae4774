#include "device/update/package.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/cms.h>
#include <openssl/pem.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/hash.h"
#include "tuf/json.h"

namespace update {
namespace {

using base::Error;
using Json = nlohmann::json;

constexpr std::uint64_t description_limit = 65'536;  // bytes

template <class T, void (*Free)(T*)>
struct Freed {
  void operator()(T* p) const { Free(p); }
};

bool plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 100 && name.front() != '.' && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

Json image_part(const Description& d, int slot) {
  return {{"images", Json::array({{{"filename", d.filename},
                                   {"device", d.devices[slot]},
                                   {"type", "raw"},
                                   {"sha256", d.sha256}}})}};
}

Json description_value(const Description& d) {
  return {{"software",
           {{"version", d.version},
            {"hardware-compatibility", Json::array({"1.0"})},
            {"stable", {{"copy1", image_part(d, 0)}, {"copy2", image_part(d, 1)}}}}}};
}

// The text at a path of member names and indexes, or nothing.
std::string text_at(const Json& value, const char* pointer) {
  const Json::json_pointer where(pointer);
  return value.contains(where) && value.at(where).is_string() ? value.at(where).get<std::string>()
                                                              : std::string();
}

struct ArchiveFree {
  void operator()(archive* a) const { archive_free(a); }
};
using Archive = std::unique_ptr<archive, ArchiveFree>;

base::Result<std::string> read_member(archive* from, std::uint64_t limit) {
  std::string out;
  std::array<char, 8192> chunk{};
  for (;;) {
    const auto got = archive_read_data(from, chunk.data(), chunk.size());
    if (got < 0) return base::fail(Error::Kind::damaged, "the package cannot be read");
    if (got == 0) return out;
    out.append(chunk.data(), static_cast<std::size_t>(got));
    if (out.size() > limit) return base::fail(Error::Kind::over_budget, "sw-description is too long");
  }
}

base::Result<std::string> sign_cms(const std::string& text, const std::string& certificate,
                                   const std::string& key) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> cert_bio(
      BIO_new_mem_buf(certificate.data(), static_cast<int>(certificate.size())), BIO_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> key_bio(
      BIO_new_mem_buf(key.data(), static_cast<int>(key.size())), BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> cert(
      PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr), X509_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pkey(
      PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> data(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  if (!cert || !pkey)
    return base::fail(Error::Kind::unreadable, "the package certificate or its key cannot be read");
  const std::unique_ptr<CMS_ContentInfo, decltype(&CMS_ContentInfo_free)> cms(
      CMS_sign(cert.get(), pkey.get(), nullptr, data.get(), CMS_DETACHED | CMS_BINARY | CMS_NOSMIMECAP),
      CMS_ContentInfo_free);
  unsigned char* der = nullptr;
  const int length = cms ? i2d_CMS_ContentInfo(cms.get(), &der) : -1;
  if (length <= 0) return base::fail(Error::Kind::internal, "the package could not be signed");
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  return out;
}

// Reads what the child says until it ends or the time is over. True: it ended by itself.
bool listen(int fd, std::chrono::steady_clock::time_point until, std::string& said) {
  std::array<char, 4096> chunk{};
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now())
            .count();
    if (left <= 0) return false;
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(std::min<long long>(left, 60'000))) < 0 && errno != EINTR)
      return false;
    if (wait.revents == 0) continue;
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got <= 0) return true;
    said.append(chunk.data(), static_cast<std::size_t>(got));
    if (said.size() > 20'000) said.erase(0, said.size() - 10'000);
  }
}

std::string last_error(const std::string& said) {
  const auto at = said.find("[ERROR]");
  const std::string_view rest =
      at == std::string::npos ? std::string_view("it said nothing") : std::string_view(said).substr(at);
  return std::string(rest.substr(0, rest.find('\n')));
}

}  // namespace

std::string describe(const Description& description) { return description_value(description).dump(2) + "\n"; }

base::Result<Description> read_description(std::string_view text) {
  const auto damaged = [](const char* why) {
    return base::fail(Error::Kind::damaged, std::string("sw-description: ") + why);
  };
  if (text.size() > description_limit) return damaged("too long");
  const auto value = tuf::parse_json(text);
  if (!value) return base::fail(Error::Kind::damaged, "sw-description: " + value.error().message);
  Description out;
  out.version = text_at(*value, "/software/version");
  out.filename = text_at(*value, "/software/stable/copy1/images/0/filename");
  out.sha256 = text_at(*value, "/software/stable/copy1/images/0/sha256");
  out.devices = {text_at(*value, "/software/stable/copy1/images/0/device"),
                 text_at(*value, "/software/stable/copy2/images/0/device")};
  if (!plain_name(out.filename)) return damaged("the image has no plain name");
  for (const auto& device : out.devices)
    if (!device.starts_with('/')) return damaged("a slot is not an absolute path");
  if (*value != description_value(out)) return damaged("something in it is not an image for a slot");
  return out;
}

// Every member's header is cpio's "newc" or "crc" form and names what fits: libarchive asks for as much memory as a name is
// said to be long before it looks whether that many bytes are there.
bool headers_are_plain(const std::string& path) {
  constexpr std::uint64_t header_length = 110, longest_name = 4096;
  std::ifstream in(path, std::ios::binary);
  std::array<char, header_length> header{};
  for (int member = 0; member < 4; ++member) {  // the three and the end mark
    if (!in.read(header.data(), header.size())) return false;
    const std::string_view text(header.data(), header.size());
    std::uint64_t size = 0, name = 0;
    const auto number = [&](std::size_t at, std::uint64_t& value) {
      const char* const end = text.data() + at + 8;
      return std::from_chars(text.data() + at, end, value, 16).ptr == end;
    };
    if (!(text.starts_with("070701") || text.starts_with("070702")) || !number(54, size) || !number(94, name)) return false;
    if (name == 0 || name > longest_name) return false;
    const std::uint64_t head = (header_length + name + 3) & ~std::uint64_t{3};
    in.seekg(static_cast<std::streamoff>(head - header_length + ((size + 3) & ~std::uint64_t{3})), std::ios::cur);
  }
  return true;
}

base::Result<Package> inspect_package(const std::string& path) {
  if (!headers_are_plain(path))
    return base::fail(Error::Kind::damaged, fmt::format("{}: not a package of three members", path));
  const Archive from(archive_read_new());
  archive_read_support_format_cpio(from.get());
  if (archive_read_open_filename(from.get(), path.c_str(), 65'536) != ARCHIVE_OK)
    return base::fail(Error::Kind::unreadable, fmt::format("{}: not a package", path));
  Package out;
  for (int member = 0;; ++member) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(from.get(), &entry);
    if (status == ARCHIVE_EOF && member == 3) return out;
    if (status != ARCHIVE_OK || member >= 3)
      return base::fail(Error::Kind::damaged, "the package does not hold the three members it should");
    const char* name = archive_entry_pathname(entry);
    const std::string expected = member == 0   ? "sw-description"
                                 : member == 1 ? "sw-description.sig"
                                               : out.description.filename;
    if (name == nullptr || expected != name || archive_entry_filetype(entry) != AE_IFREG ||
        archive_entry_hardlink(entry) != nullptr)
      return base::fail(Error::Kind::damaged,
                        fmt::format("member {} of the package is not \"{}\"", member + 1, expected));
    if (member == 2)
      out.image_length = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0));
    if (member != 0) continue;
    const auto text = read_member(from.get(), description_limit);
    if (!text) return std::unexpected(text.error());
    auto description = read_description(*text);
    if (!description) return std::unexpected(description.error());
    out.description = std::move(*description);
  }
}

base::Result<void> make_package(const std::string& path, const Description& description, base::ByteView image,
                                const std::string& certificate, const std::string& key) {
  const std::string text = describe(description);
  const auto signature = sign_cms(text, certificate, key);
  if (!signature) return std::unexpected(signature.error());
  const Archive to(archive_write_new());
  archive_write_set_format_cpio_newc(to.get());
  archive_write_set_bytes_in_last_block(to.get(), 1);
  bool good = archive_write_open_filename(to.get(), path.c_str()) == ARCHIVE_OK;
  const auto add = [&](const std::string& name, std::string_view bytes) {
    const std::unique_ptr<archive_entry, Freed<archive_entry, archive_entry_free>> entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
    archive_entry_set_mtime(entry.get(), 0, 0);
    good = good && archive_write_header(to.get(), entry.get()) == ARCHIVE_OK &&
           archive_write_data(to.get(), bytes.data(), bytes.size()) == static_cast<la_ssize_t>(bytes.size());
  };
  add("sw-description", text);
  add("sw-description.sig", *signature);
  add(description.filename, base::as_text(image));
  good = good && archive_write_close(to.get()) == ARCHIVE_OK;
  if (!good) return base::fail(Error::Kind::unreadable, fmt::format("{}: could not be written", path));
  return {};
}

base::Result<void> run_swupdate(const SwuRun& run) {
  std::vector<std::string> words = {run.program,
                                    "-k",
                                    run.certificate,
                                    "--cert-purpose",
                                    "codeSigning",
                                    "-H",
                                    "slots:1.0",
                                    "-e",
                                    run.slot == 0 ? "stable,copy1" : "stable,copy2",
                                    "-M",
                                    "-m",
                                    "-i",
                                    run.package};
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string temporary = "TMPDIR=" + run.work_dir;
  std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  std::array<char*, 3> environment = {temporary.data(), path.data(), nullptr};

  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::fail(Error::Kind::internal, "no pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it does not write on when we are gone
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, 0);
    ::dup2(ends[1], 1);
    ::dup2(ends[1], 2);
    ::execve(run.program.c_str(), argv.data(), environment.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    return base::fail(Error::Kind::internal, "no process for SWUpdate");
  }
  ::setpgid(child, child);
  std::string said;
  const bool in_time = listen(ends[0], std::chrono::steady_clock::now() + run.limit, said);
  ::close(ends[0]);
  if (!in_time) ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::kill(-child, SIGKILL);  // helpers that it left behind
  if (!in_time)
    return base::fail(Error::Kind::over_budget,
                      fmt::format("SWUpdate was not done after {} s", run.limit.count()));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return base::fail(Error::Kind::damaged, "SWUpdate: " + last_error(said));
  return {};
}

}  // namespace update

// What the files of this folder share. Not for others; box.h is the door.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "box/box.h"

namespace box {

// An open descriptor, closed at the end.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

std::unexpected<base::Error> system_error(std::string_view what);  // unsupported, with errno in words

// ---- root.cc: the box's file system, in memory. Called in fresh user and mount namespaces, where the host is still seen.
struct Root {
  Fd top;                       // the payload's root, as the supervisor sees it
  Fd processes;                 // the supervisor's own view of /proc
  Fd terminal;                  // the near end of the payload's console; not blocking
  std::string console;          // the far end's path in the payload's root
  base::Doubts doubts;
};
// Afterwards the process's root is the box; nothing of the host is left. The payload's root lies in /image/root.
base::Result<Root> build_root(const unpack::Firmware& firmware, const Plan& plan);

// In the payload's own mount namespace: its root becomes /image/root; a /proc of its processes. False: errno.
bool enter_root();

// Opens `path` beneath the payload's root as a process in it would (links stay inside). Invalid on failure, errno set.
Fd open_inside(int root, std::string_view path, int flags, unsigned mode = 0);
bool write_inside(int root, const std::string& path, std::string_view contents, unsigned mode = 0644);

// ---- payload.cc: what becomes of process 1 of the payload. Never returns.
bool drop_capabilities();  // all of them, for good, and no new privileges
struct PayloadEnds {
  int go = -1;       // a byte is read here before the network is configured, and another before the start
  int answer = -1;   // the number of the notification descriptor is written here, or -errno and a stage
};
[[noreturn]] void become_payload(const Plan& plan, const PayloadEnds& ends, const std::string& console, bool boot, const std::vector<std::string>& words);

// ---- supervisor.cc: process 1 of the box. Never returns; the record is written to `record_fd`, the capture to `capture_fd`.
[[noreturn]] void supervise(const unpack::Firmware& firmware, const Plan& plan, int record_fd, int capture_fd, int lifeline);

// ---- record.cc
std::string to_json(const Record& record);  // without the capture
base::Result<Record> record_from_json(std::string_view text);

// ---- canary.cc
bool is_remote_share(std::string_view source, std::string_view type);
// Files below the root that hold `text`, at most 4 MiB into each; links are not followed. Sorted by path.
std::vector<Landing> find_landings(int root, std::string_view text, const unpack::Tree& image);
// The canary named in `contents` (canary_text() followed by a space and a name up to the newline), or empty.
std::string canary_named(std::string_view contents, std::string_view text);

// The one-line contents of a canary.
std::string canary_contents(std::string_view text, std::string_view name);

}  // namespace box

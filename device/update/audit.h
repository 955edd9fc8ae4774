// What happened to this device's software, in the order in which it happened: one JSON object a line, each
// holding the SHA-256 of the line before it, so that no line can be changed, taken out or put in without
// every later one showing it. Who can rewrite the whole file can rewrite the chain: therefore every line also
// leaves the device as it is written, and verify_log() takes the last hash that was seen elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace update {

// Every kind of entry; in the log by its name in kebab-case.
enum class Event : std::uint8_t {
  started,          // the device started a release
  offered,          // an update was offered on the screen
  accepted,         // a person accepted it; `who` says which
  refused,          // by a check or by a person; `detail` says why
  install_started,  // from here to installed or failed the inactive slot is in pieces
  installed,        // whole, verified, and the next to start
  failed,           // not installed; the active slot was not touched
  confirmed,        // the self-test passed: the update's trial is over
  fell_back,        // the loader gave a release up
  recovered,        // a torn end of this log was cut off
  clock,            // the clock stands before the last entry
};
std::string_view event_name(Event event);

struct Entry {
  std::uint64_t number = 0;  // from 1, without gaps
  std::int64_t time = 0;     // seconds since the epoch, by the device's clock
  Event event{};
  std::uint64_t release = 0;  // 0: none is concerned
  std::string who;
  std::string detail;  // one sentence; any bytes, escaped in the file
};

// Append-only storage, injected like Flash and as pessimistic.
class LogFile {
 public:
  virtual ~LogFile() = default;
  virtual base::Result<std::string> read_all() = 0;
  virtual base::Result<void> append(
      std::string_view bytes) = 0;  // may be lost or torn until flush() has returned
  virtual base::Result<void> flush() = 0;
  virtual base::Result<void> truncate(std::uint64_t length) = 0;  // flushed when it returns
};
base::Result<std::unique_ptr<LogFile>> open_log_file(const std::string& path);  // made when absent

struct LogReport {
  std::vector<Entry> entries;  // those that hold
  std::string head;            // hash of the last of them, hex; 64 zeros for an empty log
  std::uint64_t whole = 0;     // bytes that they take
  std::uint64_t torn = 0;      // bytes of an unfinished last line after them
};
// Error (damaged): a line in the middle does not hold, with its number; or `seen`, a hash noted elsewhere, is
// not in the chain.
base::Result<LogReport> verify_log(std::string_view text, std::string_view seen = "");

class AuditLog {
 public:
  // Verifies what is there. An unfinished end is cut off, and that is the first new entry.
  // `off_device` is given every line once it is on the disk.
  static base::Result<AuditLog> open(LogFile& file, std::function<std::int64_t()> clock,
                                     std::function<void(const std::string&)> off_device = {});
  // On the disk when it returns.
  base::Result<void> add(Event event, std::uint64_t release, std::string_view detail,
                         std::string_view who = "");
  const std::vector<Entry>& entries() const { return entries_; }
  const std::string& head() const { return head_; }

 private:
  AuditLog(LogFile& file, std::function<std::int64_t()> clock,
           std::function<void(const std::string&)> off_device)
      : file_(&file), clock_(std::move(clock)), off_device_(std::move(off_device)) {}
  base::Result<void> append(Event event, std::uint64_t release, std::string_view detail, std::string_view who,
                            std::int64_t time);

  LogFile* file_;
  std::function<std::int64_t()> clock_;
  std::function<void(const std::string&)> off_device_;
  std::vector<Entry> entries_;
  std::string head_;
};

}  // namespace update

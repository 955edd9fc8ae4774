#include "device/update/audit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/bytes.h"
#include "base/escape.h"
#include "base/hash.h"

namespace update {
namespace {

using base::Error;
using Json = nlohmann::ordered_json;

constexpr std::array event_names = {"started",         "offered",   "accepted", "refused",
                                    "install-started", "installed", "failed",   "confirmed",
                                    "fell-back",       "recovered", "clock"};
constexpr std::size_t line_limit = 16'384;  // bytes; ours are far shorter

std::string write_line(const Entry& entry, const std::string& previous) {
  Json line;
  line["n"] = entry.number;
  line["time"] = entry.time;
  line["event"] = event_name(entry.event);
  line["release"] = entry.release;
  line["who"] = base::escape_bytes(entry.who);
  line["detail"] = base::escape_bytes(entry.detail);
  line["previous"] = previous;
  return line.dump();
}

// The entry in a line, or nothing. A line counts only in the one form that write_line() gives it.
std::optional<Entry> read_line(std::string_view line, const std::string& previous) {
  if (line.size() > line_limit) return std::nullopt;
  const Json value = Json::parse(line, nullptr, false);
  if (!value.is_object() || value.size() != 7) return std::nullopt;
  const auto number = [&](const char* name) {
    return value.contains(name) && value[name].is_number_integer();
  };
  const auto text = [&](const char* name) { return value.contains(name) && value[name].is_string(); };
  if (!number("n") || !number("time") || !number("release") || !text("event") || !text("who") ||
      !text("detail"))
    return std::nullopt;
  const auto event = std::ranges::find(event_names, value["event"].get<std::string>());
  const auto who = base::unescape_bytes(value["who"].get<std::string>());
  const auto detail = base::unescape_bytes(value["detail"].get<std::string>());
  if (event == event_names.end() || !who || !detail) return std::nullopt;
  Entry entry{value["n"].get<std::uint64_t>(),
              value["time"].get<std::int64_t>(),
              static_cast<Event>(event - event_names.begin()),
              value["release"].get<std::uint64_t>(),
              *who,
              *detail};
  if (write_line(entry, previous) != line) return std::nullopt;
  return entry;
}

std::string hash_of(std::string_view line) { return base::sha256_hex(base::as_bytes(line)); }

class DiskLog final : public LogFile {
 public:
  DiskLog(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~DiskLog() override { ::close(fd_); }
  DiskLog(const DiskLog&) = delete;
  DiskLog& operator=(const DiskLog&) = delete;

  base::Result<std::string> read_all() override {
    const auto bytes = base::read_file(path_);
    if (!bytes) return std::unexpected(bytes.error());
    return std::string(base::as_text(*bytes));
  }
  base::Result<void> append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return failed();
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
  }
  base::Result<void> flush() override {
    if (::fsync(fd_) != 0) return failed();
    return {};
  }
  base::Result<void> truncate(std::uint64_t length) override {
    if (::ftruncate(fd_, static_cast<off_t>(length)) != 0) return failed();
    return flush();
  }

 private:
  std::unexpected<Error> failed() const {
    return base::fail(Error::Kind::unreadable, fmt::format("{}: {}", path_, std::strerror(errno)));
  }
  int fd_;
  std::string path_;
};

}  // namespace

std::string_view event_name(Event event) { return event_names[static_cast<std::size_t>(event)]; }

base::Result<std::unique_ptr<LogFile>> open_log_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return base::fail(Error::Kind::unreadable, fmt::format("{}: {}", path, std::strerror(errno)));
  return std::make_unique<DiskLog>(fd, path);
}

base::Result<LogReport> verify_log(std::string_view text, std::string_view seen) {
  LogReport report;
  report.head = std::string(64, '0');
  bool seen_it = seen.empty() || seen == report.head;
  while (report.whole < text.size()) {
    const std::string_view rest = text.substr(report.whole);
    const auto end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    const auto entry = end == std::string_view::npos ? std::nullopt : read_line(line, report.head);
    if (!entry || entry->number != report.entries.size() + 1) {
      // Only the last thing that was being written can be unfinished: bytes after another line end are
      // damage.
      const auto last = rest.find_last_not_of('\0');
      if (end != std::string_view::npos && end < last)
        return base::fail(Error::Kind::damaged,
                          fmt::format("line {} of the audit log does not hold", report.entries.size() + 1));
      report.torn = rest.size();
      break;
    }
    report.head = hash_of(line);
    seen_it = seen_it || seen == report.head;
    report.entries.push_back(*entry);
    report.whole += line.size() + 1;
  }
  if (!seen_it)
    return base::fail(
        Error::Kind::damaged,
        "the hash that was seen elsewhere is not in the audit log: its end is missing or it is another log");
  return report;
}

base::Result<AuditLog> AuditLog::open(LogFile& file, std::function<std::int64_t()> clock,
                                      std::function<void(const std::string&)> off_device) {
  const auto text = file.read_all();
  if (!text) return std::unexpected(text.error());
  auto report = verify_log(*text);
  if (!report) return std::unexpected(report.error());
  AuditLog log(file, std::move(clock), std::move(off_device));
  log.entries_ = std::move(report->entries);
  log.head_ = report->head;
  if (report->torn > 0) {
    if (auto cut = file.truncate(report->whole); !cut) return std::unexpected(cut.error());
    if (auto done = log.add(Event::recovered, 0,
                            fmt::format("{} bytes of an unfinished entry were cut off", report->torn));
        !done)
      return std::unexpected(done.error());
  }
  return log;
}

base::Result<void> AuditLog::add(Event event, std::uint64_t release, std::string_view detail,
                                 std::string_view who) {
  const std::int64_t now = clock_();
  if (!entries_.empty() && now < entries_.back().time && event != Event::clock) {
    const auto behind = entries_.back().time - now;
    if (auto done = append(Event::clock, 0,
                           fmt::format("the clock stands {} seconds before the last entry", behind), "", now);
        !done)
      return done;
  }
  return append(event, release, detail, who, now);
}

base::Result<void> AuditLog::append(Event event, std::uint64_t release, std::string_view detail,
                                    std::string_view who, std::int64_t time) {
  Entry entry{entries_.size() + 1,
              time,
              event,
              release,
              std::string(who.substr(0, 200)),
              std::string(detail.substr(0, 2000))};
  const std::string line = write_line(entry, head_);
  if (auto done = file_->append(line + "\n"); !done) return done;
  if (auto done = file_->flush(); !done) return done;
  entries_.push_back(std::move(entry));
  head_ = hash_of(line);
  if (off_device_) off_device_(line);
  return {};
}

}  // namespace update

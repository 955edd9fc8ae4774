// Numerics and events in, 72 hours of them on disk; what commit() has returned for survives kill -9 and power loss.
//
// SQLite, write-ahead log, synchronous FULL. Rows are ordered by a running number, not by the wall clock, so that a clock set wrong loses and reorders nothing:
// each row carries the monotonic seconds since the store was opened, the number of that opening, and the wall clock as it claimed to be. What is older than 72 h *of watching*
// (rows beyond 72 * 3600 a bed at one a second) is dropped, oldest first.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "device/monitor/bed.h"

struct sqlite3;

namespace bedside {

struct TrendRow {
  std::int64_t number = 0;
  std::int64_t wall = 0;   // Unix seconds, as the clock claimed
  double seconds = 0;      // monotonic, of this opening
  std::string patient;     // the patient's id; empty when nobody was admitted
  // heart rate, SpO2, pulse, respiration, temperature 1 and 2, systolic, mean, diastolic; nothing where there was no value
  std::optional<double> values[9];
};

struct EventRow {
  std::int64_t number = 0, wall = 0;
  std::string kind, detail;
};

class TrendStore {
 public:
  static constexpr std::int64_t kept_rows = 72 * 3600;
  // Opens or makes the file. Errors: unreadable (with SQLite's reason), damaged (not a trend store).
  static base::Result<TrendStore> open(const std::string& path, std::int64_t kept = kept_rows);
  TrendStore(TrendStore&&) noexcept;
  TrendStore& operator=(TrendStore&&) noexcept;
  ~TrendStore();

  // Adds to the open transaction. Errors: internal (disk full, damaged file); nothing of the transaction is then kept.
  base::Result<std::int64_t> add(const Numerics& numerics, const std::string& patient, double seconds, std::int64_t wall);
  base::Result<std::int64_t> add_event(const std::string& kind, const std::string& detail, std::int64_t wall);
  // Makes everything added so far durable.
  base::Result<std::int64_t> commit();

  // The newest `count` rows, oldest first.
  std::vector<TrendRow> newest(std::int64_t count) const;
  std::vector<EventRow> newest_events(std::int64_t count) const;
  std::int64_t rows() const;

 private:
  TrendStore() = default;
  base::Result<std::int64_t> exec(const char* sql);
  sqlite3* db_ = nullptr;
  std::int64_t kept_ = kept_rows, session_ = 0;
  bool in_transaction_ = false;
};

}  // namespace bedside

// Implements trends.h.
#include "device/monitor/trends.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <utility>

namespace bedside {
namespace {

constexpr int store_version = 1;
constexpr const char* schema =
    "CREATE TABLE IF NOT EXISTS trend(number INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER, seconds REAL, wall INTEGER, patient TEXT,"
    " hr REAL, spo2 REAL, pulse REAL, resp REAL, t1 REAL, t2 REAL, sys REAL, mean REAL, dia REAL);"
    "CREATE TABLE IF NOT EXISTS event(number INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER, wall INTEGER, kind TEXT, detail TEXT);"
    "CREATE TABLE IF NOT EXISTS session(number INTEGER PRIMARY KEY AUTOINCREMENT);";

struct Statement {
  sqlite3_stmt* s = nullptr;
  Statement(sqlite3* db, const char* sql) { sqlite3_prepare_v2(db, sql, -1, &s, nullptr); }
  ~Statement() { sqlite3_finalize(s); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  void text(int i, const std::string& v) { sqlite3_bind_text(s, i, v.data(), static_cast<int>(v.size()), SQLITE_TRANSIENT); }
  void real(int i, const std::optional<float>& v) {
    if (v) sqlite3_bind_double(s, i, static_cast<double>(*v));
    else sqlite3_bind_null(s, i);
  }
  std::string column(int i) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(s, i));
    return bytes ? std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(s, i))) : std::string();
  }
};

std::unexpected<base::Error> failure(sqlite3* db, const char* what) {
  return base::fail(base::Error::Kind::internal, fmt::format("{}: {}", what, db ? sqlite3_errmsg(db) : "no store"));
}

}  // namespace

TrendStore::TrendStore(TrendStore&& other) noexcept { *this = std::move(other); }

TrendStore& TrendStore::operator=(TrendStore&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(kept_, other.kept_);
  std::swap(session_, other.session_);
  std::swap(in_transaction_, other.in_transaction_);
  return *this;
}

TrendStore::~TrendStore() {
  if (db_ && in_transaction_) static_cast<void>(commit());
  sqlite3_close(db_);
}

base::Result<std::int64_t> TrendStore::exec(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failure(db_, "trend store");
  return 0;
}

base::Result<TrendStore> TrendStore::open(const std::string& path, std::int64_t kept) {
  TrendStore store;
  store.kept_ = kept;
  if (sqlite3_open_v2(path.c_str(), &store.db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr) != SQLITE_OK)
    return base::fail(base::Error::Kind::unreadable, fmt::format("trend store {}: {}", path, sqlite3_errmsg(store.db_)));
  sqlite3_busy_timeout(store.db_, 2000);
  for (const char* sql : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", schema})
    if (auto done = store.exec(sql); !done) return std::unexpected(done.error());
  int version = 0;
  {
    Statement get(store.db_, "PRAGMA user_version");
    if (sqlite3_step(get.s) == SQLITE_ROW) version = sqlite3_column_int(get.s, 0);
  }
  if (version != 0 && version != store_version)
    return base::fail(base::Error::Kind::damaged, fmt::format("trend store {}: version {} is not ours", path, version));
  for (const char* sql : {"PRAGMA user_version=1", "INSERT INTO session DEFAULT VALUES"})
    if (auto done = store.exec(sql); !done) return std::unexpected(done.error());
  store.session_ = sqlite3_last_insert_rowid(store.db_);
  return store;
}

base::Result<std::int64_t> TrendStore::add(const Numerics& n, const std::string& patient, double seconds, std::int64_t wall) {
  if (!in_transaction_) {
    if (auto begun = exec("BEGIN IMMEDIATE"); !begun) return begun;
    in_transaction_ = true;
  }
  Statement put(db_, "INSERT INTO trend(session,seconds,wall,patient,hr,spo2,pulse,resp,t1,t2,sys,mean,dia) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)");
  sqlite3_bind_int64(put.s, 1, session_);
  sqlite3_bind_double(put.s, 2, seconds);
  sqlite3_bind_int64(put.s, 3, wall);
  put.text(4, patient);
  put.real(5, n.heart_rate);
  put.real(6, n.spo2);
  put.real(7, n.pulse);
  put.real(8, n.respiration);
  put.real(9, n.celsius1);
  put.real(10, n.celsius2);
  put.real(11, n.pressure ? std::optional(n.pressure->systolic) : std::nullopt);
  put.real(12, n.pressure ? std::optional(n.pressure->mean) : std::nullopt);
  put.real(13, n.pressure ? std::optional(n.pressure->diastolic) : std::nullopt);
  if (sqlite3_step(put.s) != SQLITE_DONE) {
    auto error = failure(db_, "trend store");
    static_cast<void>(exec("ROLLBACK"));
    in_transaction_ = false;
    return error;
  }
  return sqlite3_last_insert_rowid(db_);
}

base::Result<std::int64_t> TrendStore::add_event(const std::string& kind, const std::string& detail, std::int64_t wall) {
  if (!in_transaction_) {
    if (auto begun = exec("BEGIN IMMEDIATE"); !begun) return begun;
    in_transaction_ = true;
  }
  Statement put(db_, "INSERT INTO event(session,wall,kind,detail) VALUES(?,?,?,?)");
  sqlite3_bind_int64(put.s, 1, session_);
  sqlite3_bind_int64(put.s, 2, wall);
  put.text(3, kind);
  put.text(4, detail);
  if (sqlite3_step(put.s) != SQLITE_DONE) {
    auto error = failure(db_, "trend store");
    static_cast<void>(exec("ROLLBACK"));
    in_transaction_ = false;
    return error;
  }
  return sqlite3_last_insert_rowid(db_);
}

base::Result<std::int64_t> TrendStore::commit() {
  if (!in_transaction_) return 0;
  in_transaction_ = false;
  const auto prune = fmt::format("DELETE FROM trend WHERE number <= (SELECT max(number) FROM trend) - {0};"
                                 "DELETE FROM event WHERE number <= (SELECT max(number) FROM event) - {0}; COMMIT", kept_);
  auto done = exec(prune.c_str());
  if (!done) static_cast<void>(exec("ROLLBACK"));
  return done;
}

std::vector<TrendRow> TrendStore::newest(std::int64_t count) const {
  std::vector<TrendRow> out;
  Statement get(db_, "SELECT number,wall,seconds,patient,hr,spo2,pulse,resp,t1,t2,sys,mean,dia FROM trend ORDER BY number DESC LIMIT ?");
  sqlite3_bind_int64(get.s, 1, count);
  while (sqlite3_step(get.s) == SQLITE_ROW) {
    TrendRow row{sqlite3_column_int64(get.s, 0), sqlite3_column_int64(get.s, 1), sqlite3_column_double(get.s, 2), get.column(3), {}};
    for (int i = 0; i < 9; ++i)
      if (sqlite3_column_type(get.s, 4 + i) != SQLITE_NULL) row.values[i] = sqlite3_column_double(get.s, 4 + i);
    out.push_back(std::move(row));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<EventRow> TrendStore::newest_events(std::int64_t count) const {
  std::vector<EventRow> out;
  Statement get(db_, "SELECT number,wall,kind,detail FROM event ORDER BY number DESC LIMIT ?");
  sqlite3_bind_int64(get.s, 1, count);
  while (sqlite3_step(get.s) == SQLITE_ROW)
    out.push_back({sqlite3_column_int64(get.s, 0), sqlite3_column_int64(get.s, 1), get.column(2), get.column(3)});
  std::reverse(out.begin(), out.end());
  return out;
}

std::int64_t TrendStore::rows() const {
  Statement get(db_, "SELECT count(*) FROM trend");
  return sqlite3_step(get.s) == SQLITE_ROW ? sqlite3_column_int64(get.s, 0) : 0;
}

}  // namespace bedside

// Sensors in (for now the simulated patient), a monitor out: `bedside --demo` shows a patient at once in the terminal and on a loopback page.
#include <curses.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <signal.h>
#include <syslog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <clocale>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/escape.h"
#include "device/app/commands.h"
#include "device/app/update_desk.h"
#include "device/central/config.h"
#include "device/central/hl7.h"
#include "device/central/link.h"
#include "device/monitor/trends.h"
#include "device/screen/server.h"
#include "device/screen/state.h"
#include "device/screen/terminal.h"
#include "device/sim/demo.h"

namespace bedside {
namespace {

constexpr double frequency = 500;
constexpr const char* notice = "DEMO: simulated patient, no clinical use";
std::atomic<bool> stopping = false;

struct Options {
  bool demo = false, no_terminal = false, no_page = false;
  int port = 8515;
  double seconds = 0;  // 0: until told to stop
  std::string scenario = "healthy", trends, config, print, updates;
  int update_interval = 3600;  // seconds
  bool no_patient = false;
};

// The monitor's one lock: the page's threads and the terminal read and command the bed through it.
struct Monitor {
  std::mutex mutex;
  Bed bed{frequency};
  DemoPatient patient{frequency};
  CuffCommand cuff{};
  std::string bed_name = "BED 1";
};

std::string clock_text() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(now));
}

void admit_demo(Bed& bed) { bed.admit({"DEMO-0001", "Example", "Alex", "19640229", "U", Age::adult}); }

bool set_scenario(DemoTruth& truth, const std::string& name) {
  truth = {};
  if (name == "healthy") return true;
  if (name == "asystole") truth.heart_rate = 0;
  else if (name == "tachycardia") truth.heart_rate = 170;
  else if (name == "desaturation") truth.spo2 = 84, truth.breath_rate = 28;
  else if (name == "fever") truth.celsius1 = 39.4, truth.heart_rate = 112, truth.breath_rate = 24;
  else if (name == "sensors-off") truth.ecg_lead_off = truth.finger_off = truth.probe2_off = true;
  else return false;
  return true;
}

bool command(Monitor& monitor, const std::string& action) {
  const std::lock_guard lock(monitor.mutex);
  auto& bed = monitor.bed;
  if (action == "acknowledge") bed.acknowledge();
  else if (action == "pause") bed.pause_audio();
  else if (action == "nibp") (bed.cuff().state() == CuffState::inflating || bed.cuff().state() == CuffState::deflating) ? bed.stop_pressure() : bed.measure_pressure();
  else if (action == "admit") { if (!bed.patient()) admit_demo(bed); }
  else if (action == "discharge") bed.discharge();
  else return set_scenario(monitor.patient.truth, action);
  return true;
}

void advance(Monitor& monitor, int frames) {
  const std::lock_guard lock(monitor.mutex);
  for (int i = 0; i < frames; ++i) {
    const auto s = monitor.patient.next(monitor.cuff.pump, monitor.cuff.valve_open, monitor.cuff.bleed);
    monitor.cuff = monitor.bed.push({{s.ecg[0], s.ecg[1]}, s.impedance, s.red, s.infrared, {s.ohms[0], s.ohms[1]}, s.cuff});
  }
}

// ncurses paints what draw() made.
class Terminal {
 public:
  Terminal() {
    std::setlocale(LC_ALL, "");
    initscr();
    cbreak();
    noecho();
    nodelay(stdscr, TRUE);
    curs_set(0);
    start_color();
    use_default_colors();
    const short colours[] = {-1, COLOR_GREEN, COLOR_CYAN, COLOR_YELLOW, COLOR_WHITE, COLOR_MAGENTA};
    for (short i = 1; i < 6; ++i) init_pair(i, colours[i], -1);
    init_pair(6, COLOR_WHITE, COLOR_RED);
    init_pair(7, COLOR_BLACK, COLOR_YELLOW);
    init_pair(8, COLOR_BLACK, COLOR_CYAN);
    init_pair(9, COLOR_WHITE, -1);
    init_pair(10, COLOR_RED, -1);
  }
  ~Terminal() { endwin(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  void paint(const ScreenState& state, double seconds) {
    const Grid grid = draw(state, COLS, LINES, seconds);
    for (int r = 0; r < grid.rows; ++r)
      for (int c = 0; c < grid.columns; ++c) {
        const Cell& cell = grid.at(r, c);
        attrset(COLOR_PAIR(static_cast<int>(cell.ink)) | (cell.bold ? A_BOLD : A_NORMAL) | (cell.ink == Ink::dim ? A_DIM : A_NORMAL));
        if (r != grid.rows - 1 || c != grid.columns - 1) mvaddstr(r, c, utf8(cell.glyph).c_str());
      }
    refresh();
  }
  int key() { return getch(); }
};

// Each second: a trend row and what the alarms did, committed.
void keep(Monitor& monitor, std::optional<TrendStore>& trends) {
  const std::lock_guard lock(monitor.mutex);
  const auto changes = monitor.bed.alarms().take_changes();
  if (!trends) return;
  const auto wall = static_cast<std::int64_t>(::time(nullptr));
  const auto patient = monitor.bed.patient() ? monitor.bed.patient()->id : std::string();
  bool good = trends->add(monitor.bed.numerics(), patient, monitor.bed.now(), wall).has_value();
  for (const auto& change : changes) {
    static constexpr const char* words[] = {"raised", "ended", "acknowledged", "latched"};
    good = good && trends->add_event(words[static_cast<int>(change.event)], std::string(info(change.kind).name), wall).has_value();
  }
  good = trends->commit().has_value() && good;
  monitor.bed.report(AlarmKind::trend_store, !good);
}

// A person's answer to the offered update: {"install": true, "person": "…", "offer": "fingerprint"}.
bool answer_update(Monitor& monitor, UpdateDesk& desk, const std::string& text) {
  const auto answer = nlohmann::json::parse(text, nullptr, false);
  if (!answer.is_object() || !answer.contains("install") || !answer["install"].is_boolean()) return false;
  const auto word = [&](const char* key) { return answer.contains(key) && answer[key].is_string() ? answer[key].get<std::string>().substr(0, 100) : std::string(); };
  bool admitted = true;
  {
    const std::lock_guard lock(monitor.mutex);
    admitted = monitor.bed.patient().has_value();
  }
  return answer["install"].get<bool>() ? desk.accept(word("person"), word("offer"), admitted) : desk.decline(word("person"));
}

// Typing a name in the terminal: Enter answers, Esc goes back.
struct Typing {
  bool on = false, install = false;
  std::string name;
  bool take(int key, Monitor& monitor, UpdateDesk& desk) {
    if (!on) {
      if ((key != 'u' && key != 'k') || !desk.view().offered) return false;
      on = true, install = key == 'u', name.clear();
      return true;
    }
    if (key == 27) on = false;
    else if (key == KEY_BACKSPACE || key == 127 || key == 8) name.resize(name.empty() ? 0 : name.size() - 1);
    else if (key >= 32 && key < 127 && name.size() < 60) name += static_cast<char>(key);
    else if (key == '\n' || key == '\r' || key == KEY_ENTER) {
      on = false;
      answer_update(monitor, desk, nlohmann::json{{"install", install}, {"person", name}, {"offer", desk.view().fingerprint}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    return true;
  }
  std::string prompt() const { return on ? fmt::format("{}: your name, then Enter (Esc: back): {}_", install ? "install" : "not now", name) : std::string(); }
};

void act_on_key(Monitor& monitor, int key) {
  switch (key) {
    case 'a': command(monitor, "acknowledge"); break;
    case 'p': command(monitor, "pause"); break;
    case 'n': command(monitor, "nibp"); break;
    case 'x': command(monitor, "discharge"); break;
    case 'm': command(monitor, "admit"); break;
    case '1': command(monitor, "healthy"); break;
    case '2': command(monitor, "tachycardia"); break;
    case '3': command(monitor, "asystole"); break;
    case '4': command(monitor, "desaturation"); break;
    case '5': command(monitor, "sensors-off"); break;
    case 'q': stopping = true; break;
    default: break;
  }
}

int watch(const Options& options) {
  Monitor monitor;
  set_scenario(monitor.patient.truth, "healthy");
  if (!options.no_patient) admit_demo(monitor.bed);
  // The patient was lying here for a while: the screen starts full.
  advance(monitor, static_cast<int>(30 * frequency));
  command(monitor, "nibp");
  advance(monitor, static_cast<int>(45 * frequency));
  if (!set_scenario(monitor.patient.truth, options.scenario)) {
    fmt::print(stderr, "bedside: no scenario {}\n", base::escape_terminal(options.scenario));
    return 2;
  }

  std::optional<TrendStore> trends;
  if (!options.trends.empty()) {
    auto opened = TrendStore::open(options.trends);
    if (!opened) return fmt::print(stderr, "bedside: {}\n", opened.error().message), 3;
    trends = std::move(*opened);
  }
  std::optional<CentralConfig> central;
  std::unique_ptr<CentralLink> link;
  if (!options.config.empty()) {
    auto config = read_central_config(options.config);
    if (!config) return fmt::print(stderr, "bedside: {}\n", config.error().message), 2;
    monitor.bed_name = config->bed;
    central = *config;
    if (!config->host.empty()) link = std::make_unique<CentralLink>(*config);
  }

  // Opened before the desk: every audit line goes to the system's log and, where there is one, to the central station.
  std::unique_ptr<UpdateDesk> desk;
  if (!options.updates.empty()) {
    ::openlog("bedside", LOG_PID, LOG_AUTHPRIV);
    auto opened = UpdateDesk::open(options.updates, options.update_interval, [&link, &central](const std::string& line) {
      ::syslog(LOG_NOTICE, "%s", line.c_str());
      if (link) link->offer(audit_message(*central, line, std::chrono::system_clock::now()));
    });
    if (!opened) return fmt::print(stderr, "bedside: {}\n", base::escape_terminal(opened.error().message)), 3;
    desk = std::move(*opened);
  }
  const auto whole_state = [&](std::uint64_t since, const std::string& note) {
    const std::lock_guard lock(monitor.mutex);
    auto state = describe(monitor.bed, monitor.bed_name, clock_text(), note, since);
    if (desk) state.update = desk->view();
    return state;
  };

  std::unique_ptr<PageServer> page;
  if (!options.no_page) {
    auto started = PageServer::start(options.port, {[&](std::uint64_t since) {
                                                      return to_json(whole_state(since, notice));
                                                    },
                                                    [&](const std::string& action) { return command(monitor, action); },
                                                    [&](const std::string& answer) { return desk && answer_update(monitor, *desk, answer); }});
    if (!started) return fmt::print(stderr, "bedside: {}\n", started.error().message), 3;
    page = std::move(*started);
  }
  const bool terminal_wanted = !options.no_terminal && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
  if (page && !terminal_wanted) {
    fmt::print("bedside: the screen is at http://127.0.0.1:{}/\n", page->port());
    std::fflush(stdout);
  }
  std::optional<Terminal> terminal;
  if (terminal_wanted) terminal.emplace();

  const auto start = std::chrono::steady_clock::now();
  std::int64_t done = 0, second = 0;
  Typing typing;
  while (!stopping) {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (options.seconds > 0 && elapsed > options.seconds) break;
    // After a stall (a suspended laptop) the lost time is skipped in pieces, not replayed at once.
    const auto due = std::min(static_cast<std::int64_t>(elapsed * frequency), done + static_cast<std::int64_t>(frequency));
    advance(monitor, static_cast<int>(due - done));
    done = due;
    if (static_cast<std::int64_t>(elapsed) != second) {
      second = static_cast<std::int64_t>(elapsed);
      if (desk && second == 5) desk->confirm();  // five seconds of samples, trends and screen: the self-test
      keep(monitor, trends);
      if (link) {
        const std::lock_guard lock(monitor.mutex);
        if (second % central->interval == 0 && monitor.bed.patient())
          link->offer(observation_message(*central, *monitor.bed.patient(), monitor.bed.numerics(), std::chrono::system_clock::now()));
        monitor.bed.report(AlarmKind::central_lost, link->lost());
      }
    }
    if (terminal) {
      auto state = whole_state(0, page ? fmt::format("{}  127.0.0.1:{}", notice, page->port()) : notice);
      state.update.prompt = typing.prompt();
      terminal->paint(state, elapsed);
      for (int key = terminal->key(); key != ERR; key = terminal->key())
        if (!desk || !typing.take(key, monitor, *desk)) act_on_key(monitor, key);
    }
  }
  return 0;
}

// One picture of the terminal screen as text, for a look without a terminal.
int print_screen(const Options& options) {
  Monitor monitor;
  admit_demo(monitor.bed);
  advance(monitor, static_cast<int>(30 * frequency));
  command(monitor, "nibp");
  advance(monitor, static_cast<int>(45 * frequency));
  if (!set_scenario(monitor.patient.truth, options.scenario)) return 2;
  advance(monitor, static_cast<int>(12 * frequency));
  const Grid grid = draw(describe(monitor.bed, monitor.bed_name, "2001-01-01 00:00:00", notice), 110, 36, 0);
  for (int r = 0; r < grid.rows; ++r) fmt::print("{}\n", grid.line(r));
  return 0;
}

}  // namespace
}  // namespace bedside

int main(int argc, char** argv) {
  using namespace bedside;
  CLI::App app{"bedside: a reference monitor of six vital signs. Not a medical device; no clinical use."};
  Options options;
  app.add_flag("--demo", options.demo, "watch a simulated patient");
  app.add_option("--scenario", options.scenario, "healthy, tachycardia, asystole, desaturation, fever, sensors-off")->capture_default_str();
  app.add_option("--port", options.port, "loopback port of the page (0: any)")->check(CLI::Range(0, 65535))->capture_default_str();
  app.add_flag("--no-page", options.no_page, "no page");
  app.add_flag("--no-terminal", options.no_terminal, "no terminal screen");
  app.add_option("--seconds", options.seconds, "stop after this long");
  app.add_option("--trends", options.trends, "keep 72 h of trends in this SQLite file");
  app.add_option("--config", options.config, "the central station, if there is one (device/README.md)");
  app.add_option("--updates", options.updates, "the update path's settings (device/update/README.md)");
  app.add_option("--update-interval", options.update_interval, "seconds between questions to the repository")->check(CLI::Range(1, 86400))->capture_default_str();
  app.add_flag("--no-patient", options.no_patient, "start with nobody admitted");
  std::string mud;
  app.add_option("--mud", mud, "print the MUD file (RFC 8520) of this configuration and end");
  std::string sample;
  app.add_option("--sample-message", sample, "print one HL7 message as this configuration would send it and end");
  bool print = false;
  app.add_flag("--print-screen", print, "print the terminal screen once as text and end");
  CLI11_PARSE(app, argc, argv);
  signal(SIGINT, [](int) { stopping = true; });
  signal(SIGTERM, [](int) { stopping = true; });
  signal(SIGPIPE, SIG_IGN);
  if (!mud.empty()) return print_mud(mud, options.updates);
  if (!sample.empty()) return print_sample_message(sample);
  if (print) return print_screen(options);
  if (!options.demo) {
    fmt::print(stderr, "bedside: no sensors are attached; --demo shows a simulated patient\n");
    return 2;
  }
  return watch(options);
}

// bedside-update: the update path from a shell, and the log's verifier. Exit 0 done, 1 refused (with the
// reason), 2 usage.
#include <syslog.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/escape.h"
#include "device/update/updater.h"

namespace {

int refuse(const base::Error& error) {
  std::fprintf(stderr, "bedside-update: %s\n", base::escape_terminal(error.message).c_str());
  return 1;
}

int show(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return 0;
}

std::string on_screen(const update::Offer& offer) {
  const auto safe = [](const std::string& text) { return base::escape_terminal(text); };
  return "version   " + safe(offer.version) + "\nrelease   " + std::to_string(offer.image.release) +
         "\nhardware  " + safe(offer.hardware) + "\nnotes     " + safe(offer.notes) + "\noffer     " +
         update::fingerprint(offer) + "\n";
}

int verify(const std::string& path, const std::string& seen) {
  const auto bytes = base::read_file(path);
  if (!bytes) return refuse(bytes.error());
  const auto report = update::verify_log(base::as_text(*bytes), seen);
  if (!report) return refuse(report.error());
  std::printf("%zu entries hold, the last has hash %s\n", report->entries.size(), report->head.c_str());
  if (report->torn > 0)
    std::printf("%llu bytes of an unfinished entry follow\n", static_cast<unsigned long long>(report->torn));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The update path of the bedside monitor");
  std::string config = "/etc/bedside/update.json";
  std::string from;
  std::string person;
  std::string seen_offer;
  std::string log;
  std::string head;
  bool admitted = false;
  app.add_option("--settings", config, "settings file");
  app.require_subcommand(1);
  auto* check = app.add_subcommand("check", "ask for an offer and show it");
  auto* install = app.add_subcommand("install", "install the offer that was shown");
  for (auto* command : {check, install})
    command->add_option("--from", from, "another repository, e.g. file:///media/stick");
  install->add_option("--person", person, "who accepts")->required();
  install->add_option("--offer", seen_offer, "the offer that was shown")->required();
  install->add_flag("--patient-admitted", admitted, "a patient is admitted: refuse");
  auto* start = app.add_subcommand("start", "choose what starts, and record it");
  auto* confirm = app.add_subcommand("confirm", "the self-test passed");
  auto* report = app.add_subcommand("report", "the signed version report");
  auto* sbom = app.add_subcommand("sbom", "the bill of materials of what runs, or of what is offered");
  bool offered = false;
  sbom->add_flag("--offered", offered);
  auto* verify_log = app.add_subcommand("verify-log", "check an audit log");
  verify_log->add_option("log", log)->required();
  verify_log->add_option("--seen", head, "a hash that was seen off the device");
  std::string image;
  std::string root;
  std::uint64_t release = 0;
  auto* factory = app.add_subcommand("provision", "the factory's step: first image and trust anchor");
  factory->add_option("--image", image)->required();
  factory->add_option("--release", release)->required();
  factory->add_option("--root", root)->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (*verify_log) return verify(log, head);

  const auto settings = update::read_settings(config);
  if (!settings) return refuse(settings.error());
  if (*factory) {
    const auto done = update::provision(*settings, image, release, root);
    return done ? 0 : refuse(done.error());
  }
  ::openlog("bedside-update", LOG_PID, LOG_AUTHPRIV);
  auto updater = update::Updater::open(
      *settings, [](const std::string& line) { ::syslog(LOG_NOTICE, "%s", line.c_str()); });
  if (!updater) return refuse(updater.error());
  if (*start) {
    const auto choice = updater->start();
    if (!choice) return refuse(choice.error());
    const bool slot = choice->from == update::BootChoice::From::slot;
    const bool nothing = choice->from == update::BootChoice::From::nothing;
    std::printf("%s release %llu\n",
                nothing ? "nothing"
                : slot  ? (choice->slot == 0 ? "slot 0" : "slot 1")
                        : "recovery",
                static_cast<unsigned long long>(choice->release));
    return nothing ? 1 : 0;
  }
  if (*confirm) {
    const auto done = updater->confirm();
    return done ? 0 : refuse(done.error());
  }
  if (*report) {
    const auto text = updater->report();
    return text ? show(*text) : refuse(text.error());
  }
  if (*sbom) {
    const auto text = offered ? updater->offered_sbom(from) : updater->sbom();
    return text ? show(*text) : refuse(text.error());
  }
  const auto offer = updater->check(from);
  if (!offer) return refuse(offer.error());
  if (*check) return show(on_screen(*offer));
  const auto done = updater->install(*offer, {person, seen_offer}, {admitted}, from);
  return done ? show("installed; it starts next, on trial\n") : refuse(done.error());
}

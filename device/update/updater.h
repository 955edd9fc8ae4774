// The device's update path in one object: the owner's repository on one side, the slots on the other. What
// the bedside programs call. There is no address in the program: the repository is a setting, and a stick is
// a file:// URL.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "device/update/install.h"
#include "device/update/package.h"
#include "tuf/client.h"

namespace update {

// The device's settings file, JSON.
struct Settings {
  std::string hardware;      // this device's hardware id
  std::string repository;    // the owner's setting; empty: no updates
  std::string target;        // the target to look for, e.g. "monitor.swu"
  std::string metadata_dir;  // trusted metadata; root.json is put there in the factory
  std::string incoming_dir;  // packages on their way; ours alone
  std::string records;       // storage of the boot records
  std::array<std::string, 2> slots;
  std::string recovery;  // may be empty
  Slot recovery_image;
  std::string log;
  std::string report_key;  // ed25519, PEM: this device's own
  std::string sbom;        // the running release's SBOM; may be empty
  SwuRun swupdate;         // program, certificate, limit
};
base::Result<Settings> read_settings(const std::string& path);

// The factory's step: `image` into slot 0 as `release`, confirmed, and the publisher's root as the trust
// anchor.
base::Result<void> provision(const Settings& settings, const std::string& image, std::uint64_t release,
                             const std::string& root);

class Updater {
 public:
  // Opens storage and log. `off_device` is given every line of the log as it is written (syslog, HL7).
  static base::Result<Updater> open(const Settings& settings,
                                    std::function<void(const std::string&)> off_device = {});

  // Asks `repository` (the setting when empty; "file:///media/…" for a stick) for an offer that this device
  // could take. Every offer and every refusal is in the log, the same one once in a row.
  base::Result<Offer> check(const std::string& repository = "");

  // Fetches, verifies and writes the offer that check() gave, if the answer is to it and the ward allows.
  base::Result<void> install(const Offer& offer, const Consent& consent, const Ward& ward,
                             const std::string& repository = "");
  // A person said no.
  base::Result<void> decline(const Offer& offer, const std::string& person);

  base::Result<BootChoice> start();  // loader's choice and its record, at every start
  base::Result<void> confirm();      // after the self-test

  // What runs here: a JSON object {"report", "public", "signature"}, the report signed in canonical form with
  // the device's key.
  base::Result<std::string> report();
  // The bills of materials, CycloneDX: of what runs (the setting "sbom"; its hash is in the report), and of what the repository
  // offers, which the publisher signed for. Error: there is none, or it is not the one that was signed for.
  base::Result<std::string> sbom() const;
  base::Result<std::string> offered_sbom(const std::string& repository = "");

  const AuditLog& log() const { return *log_; }

 private:
  explicit Updater(Settings settings) : settings_(std::move(settings)) {}
  Storage storage();
  tuf::Options options() const;
  base::Result<tuf::TargetFile> ask(const std::string& repository, const std::string& download_for);

  Settings settings_;
  std::unique_ptr<Flash> records_;
  std::array<std::unique_ptr<Flash>, 2> slots_;
  std::unique_ptr<Flash> recovery_;
  std::unique_ptr<LogFile> log_file_;
  std::optional<AuditLog> log_;
};

}  // namespace update

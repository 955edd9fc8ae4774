#include "device/update/updater.h"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>

#include "tuf/client.h"
#include "tuf/fields.h"

namespace update {
namespace {

using base::Error;
using tuf::Json;

std::unexpected<Error> from_tuf(const tuf::Error& error) {
  return base::fail(Error::Kind::damaged, fmt::format("{}: {}", tuf::kind_name(error.kind), error.message));
}

// The clock, but never before what the log has seen: a clock set back must not bring expired metadata to
// life.
std::int64_t sober_now(const AuditLog& log) {
  std::int64_t now = std::time(nullptr);
  for (const Entry& entry : log.entries())
    if (entry.event == Event::started || entry.event == Event::installed) now = std::max(now, entry.time);
  return now;
}

Slot read_slot(const Json& value, tuf::Fields& owner) {
  tuf::Fields fields(value, "recovery_image");
  Slot slot;
  slot.release = static_cast<std::uint64_t>(fields.whole("release", 0));
  slot.length = static_cast<std::uint64_t>(fields.whole("length", 1));
  const auto sum = tuf::from_hex(fields.text("sha256"));
  if (!sum || sum->size() != slot.image.size()) fields.refuse("\"sha256\" is no such hash");
  if (!fields.ok())
    owner.refuse(fields.error().message);
  else
    std::ranges::transform(*sum, slot.image.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return slot;
}

}  // namespace

base::Result<Settings> read_settings(const std::string& path) {
  const auto bytes = base::read_file(path, 1 << 20);
  if (!bytes) return std::unexpected(bytes.error());
  const auto value = tuf::parse_json(base::as_text(*bytes));
  if (!value) return base::fail(Error::Kind::damaged, path + ": " + value.error().message);
  tuf::Fields fields(*value, path);
  Settings out;
  out.hardware = fields.text("hardware");
  out.repository = fields.text("repository");
  out.target = fields.text("target");
  out.metadata_dir = fields.text("metadata_dir");
  out.incoming_dir = fields.text("incoming_dir");
  out.records = fields.text("records");
  out.slots = {fields.text("slot_a"), fields.text("slot_b")};
  out.log = fields.text("log");
  out.report_key = fields.text("report_key");
  out.sbom = fields.has("sbom") ? fields.text("sbom") : "";
  out.swupdate.certificate = fields.text("certificate");
  if (fields.has("swupdate")) out.swupdate.program = fields.text("swupdate");
  if (fields.has("seconds")) out.swupdate.limit = std::chrono::seconds(fields.whole("seconds", 1, 86'400));
  if (fields.has("recovery")) {
    out.recovery = fields.text("recovery");
    out.recovery_image = read_slot(fields.object("recovery_image"), fields);
  }
  if (!fields.ok()) return base::fail(Error::Kind::damaged, fields.error().message);
  return out;
}

base::Result<void> provision(const Settings& settings, const std::string& image, std::uint64_t release,
                             const std::string& root) {
  const auto bytes = base::read_file(image);
  const auto anchor = base::read_file(root, 1 << 20);
  if (!bytes) return std::unexpected(bytes.error());
  if (!anchor) return std::unexpected(anchor.error());
  auto slot = open_flash(settings.slots[0]);
  auto records = open_flash(settings.records);
  if (!slot) return std::unexpected(slot.error());
  if (!records) return std::unexpected(records.error());
  if (load_record(**records))
    return base::fail(Error::Kind::unsupported, "this device has a boot record already");
  if (auto done = (*slot)->write(0, *bytes); !done) return done;
  if (auto done = (*slot)->flush(); !done) return done;
  BootRecord record;
  record.slots[0] = {release, 0, bytes->size(), base::sha256(*bytes)};
  if (const auto done = tuf::install_root(settings.metadata_dir, base::as_text(*anchor)); !done)
    return from_tuf(done.error());
  return save_record(**records, record);
}

base::Result<Updater> Updater::open(const Settings& settings,
                                    std::function<void(const std::string&)> off_device) {
  Updater out(settings);
  const auto take = [](const std::string& path, std::unique_ptr<Flash>& into) -> base::Result<void> {
    auto flash = open_flash(path);
    if (!flash) return std::unexpected(flash.error());
    into = std::move(*flash);
    return {};
  };
  if (auto done = take(settings.records, out.records_); !done) return std::unexpected(done.error());
  for (std::size_t i = 0; i < 2; ++i)
    if (auto done = take(settings.slots[i], out.slots_[i]); !done) return std::unexpected(done.error());
  if (!settings.recovery.empty())
    if (auto done = take(settings.recovery, out.recovery_); !done) return std::unexpected(done.error());
  auto file = open_log_file(settings.log);
  if (!file) return std::unexpected(file.error());
  out.log_file_ = std::move(*file);
  auto log = AuditLog::open(
      *out.log_file_, [] { return static_cast<std::int64_t>(std::time(nullptr)); }, std::move(off_device));
  if (!log) return std::unexpected(log.error());
  out.log_ = std::move(*log);
  return out;
}

Storage Updater::storage() {
  return {records_.get(), {slots_[0].get(), slots_[1].get()}, recovery_.get(), settings_.recovery_image};
}

tuf::Options Updater::options() const {
  tuf::Options out;
  out.key_ids = tuf::KeyIds::hashed;
  out.now = sober_now(*log_);
  out.artifact_limit = slots_[0]->size() + (1 << 20);
  return out;
}

base::Result<std::string> Updater::sbom() const {
  if (settings_.sbom.empty()) return base::fail(Error::Kind::unsupported, "no bill of materials is set");
  const auto bytes = base::read_file(settings_.sbom);
  if (!bytes) return std::unexpected(bytes.error());
  return std::string(base::as_text(*bytes));
}

base::Result<std::string> Updater::offered_sbom(const std::string& repository) {
  const std::string& from = repository.empty() ? settings_.repository : repository;
  if (from.empty()) return base::fail(Error::Kind::unsupported, "no repository is set");
  const auto fetcher = tuf::make_fetcher();
  auto client = tuf::Client::open(settings_.metadata_dir, from + "/metadata", *fetcher, options());
  if (!client) return from_tuf(client.error());
  if (const auto done = client->refresh(); !done) return from_tuf(done.error());
  const auto target = client->find(settings_.target + ".cdx.json");
  if (!target) return from_tuf(target.error());
  const auto path = client->download(*target, from + "/targets", settings_.incoming_dir);
  if (!path) return from_tuf(path.error());
  const auto bytes = base::read_file(*path);
  if (!bytes) return std::unexpected(bytes.error());
  return std::string(base::as_text(*bytes));
}

// Refreshes the trusted metadata and finds the target; with `download_for`, a hash, fetches the package too
// when the target is still the one that was offered.
base::Result<tuf::TargetFile> Updater::ask(const std::string& repository, const std::string& download_for) {
  const std::string& from = repository.empty() ? settings_.repository : repository;
  if (from.empty()) return base::fail(Error::Kind::unsupported, "no repository is set");
  const auto fetcher = tuf::make_fetcher();
  auto client = tuf::Client::open(settings_.metadata_dir, from + "/metadata", *fetcher, options());
  if (!client) return from_tuf(client.error());
  if (const auto done = client->refresh(); !done) return from_tuf(done.error());
  const auto target = client->find(settings_.target);
  if (!target) return from_tuf(target.error());
  if (download_for.empty()) return *target;
  const auto offer = read_offer(*target);
  if (!offer || fingerprint(*offer) != download_for)
    return base::fail(Error::Kind::unsupported, "the repository offers something else by now");
  if (const auto path = client->download(*target, from + "/targets", settings_.incoming_dir); !path)
    return from_tuf(path.error());
  return *target;
}

base::Result<Offer> Updater::check(const std::string& repository) {
  const auto refused = [&](std::uint64_t release, const Error& why) -> base::Result<Offer> {
    const bool said = !log_->entries().empty() && log_->entries().back().event == Event::refused &&
                      log_->entries().back().release == release &&
                      log_->entries().back().detail == why.message && log_->entries().back().who.empty();
    if (!said)
      if (auto noted = log_->add(Event::refused, release, why.message); !noted)
        return std::unexpected(noted.error());
    return std::unexpected(why);
  };
  const auto target = ask(repository, "");
  if (!target) return refused(0, target.error());
  auto offer = read_offer(*target);
  if (!offer) return refused(0, offer.error());
  const auto record = load_record(*records_);
  if (!record) return refused(offer->image.release, record.error());
  if (auto good = judge(*offer, settings_.hardware, *record, slots_[record->inactive()]->size()); !good)
    return refused(offer->image.release, good.error());
  const std::string detail = fmt::format("version {}, offer {}, from {}", offer->version, fingerprint(*offer),
                                         repository.empty() ? settings_.repository : repository);
  const bool known = !log_->entries().empty() && log_->entries().back().event == Event::offered &&
                     log_->entries().back().detail == detail;
  if (!known)
    if (auto noted = log_->add(Event::offered, offer->image.release, detail); !noted)
      return std::unexpected(noted.error());
  return offer;
}

base::Result<void> Updater::decline(const Offer& offer, const std::string& person) {
  return log_->add(Event::refused, offer.image.release, "declined at the bedside", person);
}

base::Result<void> Updater::install(const Offer& offer, const Consent& consent, const Ward& ward,
                                    const std::string& repository) {
  std::string package;
  auto allowed = judge_consent(offer, consent, ward);
  if (allowed) {
    if (const auto target = ask(repository, fingerprint(offer)); !target)
      allowed = std::unexpected(target.error());
    else
      package = settings_.incoming_dir + "/" + tuf::percent_encode(target->path);
  }
  if (allowed) {
    const auto contents = inspect_package(package);
    if (!contents)
      allowed = std::unexpected(contents.error());
    else if (contents->description.sha256 != base::hex(offer.image.image) ||
             contents->image_length != offer.image.length)
      allowed = base::fail(Error::Kind::damaged,
                           "the package holds another image than the one that was signed for");
    else if (contents->description.devices != settings_.slots)
      allowed = base::fail(Error::Kind::damaged, "the package writes elsewhere than to this device's slots");
  }
  if (!allowed) {
    if (auto noted = log_->add(Event::refused, offer.image.release, allowed.error().message, consent.person);
        !noted)
      return noted;
    return allowed;
  }
  return update::install(
      storage(), *log_, settings_.hardware, offer, consent, ward,
      [&](std::uint8_t slot) -> base::Result<void> {
        SwuRun run = settings_.swupdate;
        run.package = package;
        run.work_dir = settings_.incoming_dir + "/work";
        run.slot = slot;
        ::mkdir(run.work_dir.c_str(), 0700);
        const auto said = run_swupdate(run);
        // SWUpdate 2022.12 now and then ends with 1 after a whole installation: what stands in the
        // slot decides, here and in install(). Not so when the time was over.
        if (!said && said.error().kind == Error::Kind::damaged && slot_is_whole(*slots_[slot], offer.image))
          return base::Result<void>{};
        return said;
      });
}

base::Result<BootChoice> Updater::start() {
  const BootChoice choice = choose(storage());
  if (auto done = record_start(storage(), *log_, choice); !done) return std::unexpected(done.error());
  return choice;
}

base::Result<void> Updater::confirm() { return record_confirmed(storage(), *log_); }

base::Result<std::string> Updater::report() {
  const auto record = load_record(*records_);
  if (!record) return std::unexpected(record.error());
  Json slots = Json::array();
  for (std::size_t i = 0; i < 2; ++i)
    slots.push_back({{"release", record->slots[i].release},
                     {"sha256", base::hex(record->slots[i].image)},
                     {"whole", slot_is_whole(*slots_[i], record->slots[i])}});
  Json body = {
      {"hardware", settings_.hardware},        {"time", std::time(nullptr)}, {"active", record->active},
      {"confirmed", record->confirmed},        {"floor", record->floor},     {"slots", slots},
      {"log_entries", log_->entries().size()}, {"log_head", log_->head()}};
  body["recovery_whole"] = recovery_ && slot_is_whole(*recovery_, settings_.recovery_image);
  if (const auto sbom = base::read_file(settings_.sbom); !settings_.sbom.empty() && sbom)
    body["sbom_sha256"] = base::sha256_hex(*sbom);
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_file(settings_.report_key.c_str(), "r"),
                                                      BIO_free);
  const std::unique_ptr<EVP_PKEY, tuf::PkeyFree> key(
      bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const std::string text = tuf::canonical_json(body);
  std::string signature(64, '\0');
  std::string raw(32, '\0');
  std::size_t length = signature.size();
  std::size_t raw_length = raw.size();
  const bool done = key &&
                    EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(raw.data()),
                                                &raw_length) == 1 &&
                    EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length,
                                   reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  if (!done) return base::fail(Error::Kind::unreadable, "the report key cannot be used");
  return Json{{"report", body}, {"public", tuf::to_hex(raw)}, {"signature", tuf::to_hex(signature)}}.dump(2) +
         "\n";
}

}  // namespace update

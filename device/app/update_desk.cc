// Implements update_desk.h.
#include "device/app/update_desk.h"

#include <chrono>

namespace bedside {

UpdateDesk::UpdateDesk(update::Updater updater, std::string origin, int interval_seconds) : updater_(std::move(updater)), origin_(std::move(origin)), interval_(interval_seconds) {
  thread_ = std::thread([this] { run(); });
}

base::Result<std::unique_ptr<UpdateDesk>> UpdateDesk::open(const std::string& settings_path, int interval_seconds, std::function<void(const std::string&)> leaves_device) {
  const auto settings = update::read_settings(settings_path);
  if (!settings) return std::unexpected(settings.error());
  auto updater = update::Updater::open(*settings, std::move(leaves_device));
  if (!updater) return std::unexpected(updater.error());
  return std::unique_ptr<UpdateDesk>(new UpdateDesk(std::move(*updater), settings->repository, interval_seconds));
}

UpdateDesk::~UpdateDesk() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

UpdateView UpdateDesk::view() const {
  const std::lock_guard lock(mutex_);
  UpdateView out;
  out.message = message_;
  out.busy = busy_;
  if (offer_) {
    out.offered = true;
    out.version = offer_->version;
    out.notes = offer_->notes;
    out.origin = origin_;
    out.fingerprint = update::fingerprint(*offer_);
  }
  return out;
}

bool UpdateDesk::accept(const std::string& person, const std::string& fingerprint, bool patient_admitted) {
  const std::lock_guard lock(mutex_);
  if (!offer_ || busy_ || person.empty()) return false;
  wish_ = Wish::install;
  consent_ = {person, fingerprint};
  ward_ = {patient_admitted};
  busy_ = true;
  message_ = "installing";
  wake_.notify_all();
  return true;
}

bool UpdateDesk::decline(const std::string& person) {
  const std::lock_guard lock(mutex_);
  if (!offer_ || busy_ || person.empty()) return false;
  wish_ = Wish::decline;
  consent_ = {person, ""};
  busy_ = true;
  wake_.notify_all();
  return true;
}

void UpdateDesk::confirm() {
  const std::lock_guard lock(mutex_);
  confirm_wanted_ = true;
  wake_.notify_all();
}

// Asks the repository; an offer that this device could take goes on the screen. Reasons against it are in the log, not on the ward's screen.
void UpdateDesk::look() {
  auto offer = updater_.check();
  const std::lock_guard lock(mutex_);
  offer_ = offer ? std::optional(*offer) : std::nullopt;
}

void UpdateDesk::run() {
  std::unique_lock lock(mutex_);
  auto due = std::chrono::steady_clock::now();
  while (!stopping_) {
    if (confirm_wanted_) {
      confirm_wanted_ = false;
      lock.unlock();
      bool started = false;  // after the last installation
      for (const auto& entry : updater_.log().entries())
        if (entry.event == update::Event::installed) started = false;
        else if (entry.event == update::Event::started) started = true;
      const auto done = started ? updater_.confirm() : base::Result<void>{};
      lock.lock();
      if (!done) message_ = "the running release could not be confirmed: " + done.error().message;
      continue;
    }
    if (wish_ != Wish::none) {
      const bool install = wish_ == Wish::install;
      const auto offer = *offer_;
      const auto consent = consent_;
      const auto ward = ward_;
      lock.unlock();
      const auto done = install ? updater_.install(offer, consent, ward) : updater_.decline(offer, consent.person);
      lock.lock();
      wish_ = Wish::none;
      busy_ = false;
      if (!done) message_ = "refused: " + done.error().message;
      else message_ = install ? "version " + offer.version + " is installed and starts next, on trial" : "declined by " + consent.person;
      if (done) offer_.reset();
      if (done) due = std::chrono::steady_clock::now() + std::chrono::seconds(interval_);  // what was answered is not asked again at once
      continue;
    }
    if (std::chrono::steady_clock::now() >= due) {
      lock.unlock();
      look();
      lock.lock();
      due = std::chrono::steady_clock::now() + std::chrono::seconds(interval_);
      continue;
    }
    wake_.wait_until(lock, due);
  }
}

}  // namespace bedside

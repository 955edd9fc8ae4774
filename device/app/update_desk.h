// The update path at the bed: offers in, what the screen shows of them and a person's answer out. One thread asks the owner's repository now and then and carries out what
// was answered; the monitor never waits for it. Every line of the audit log is handed on as it is written.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "device/screen/state.h"
#include "device/update/updater.h"

namespace bedside {

class UpdateDesk {
 public:
  // `leaves_device` is given every audit line. Asks at once and then every `interval_seconds`.
  static base::Result<std::unique_ptr<UpdateDesk>> open(const std::string& settings_path, int interval_seconds, std::function<void(const std::string&)> leaves_device);
  ~UpdateDesk();
  UpdateDesk(const UpdateDesk&) = delete;
  UpdateDesk& operator=(const UpdateDesk&) = delete;

  UpdateView view() const;
  // The answer of `person` to the offer whose fingerprint the screen showed. Whether it is allowed is decided, and recorded, by the updater; the view says how it ended. False: nothing
  // is offered, or an answer is being carried out, or nobody's name was given.
  bool accept(const std::string& person, const std::string& fingerprint, bool patient_admitted);
  bool decline(const std::string& person);
  void confirm();  // the self-test passed: the release that the loader started is kept; one installed since waits for its own start

 private:
  enum class Wish { none, install, decline };
  explicit UpdateDesk(update::Updater updater, std::string origin, int interval_seconds);
  void run();
  void look();

  update::Updater updater_;  // the thread's alone
  std::string origin_;
  int interval_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false, busy_ = false, confirm_wanted_ = false;
  Wish wish_ = Wish::none;
  update::Consent consent_;
  update::Ward ward_;
  std::optional<update::Offer> offer_;
  std::string message_;
  std::thread thread_;
};

}  // namespace bedside

// Implements hl7.h.
#include "device/central/hl7.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <atomic>

#include "base/text.h"

namespace bedside {
namespace {

struct Observation {
  const char* code;       // MDC code and reference id
  const char* unit;
  const char* channel;    // OBX-4
  std::optional<float> value;
  int decimals;
};

std::string utc(std::chrono::system_clock::time_point when, const char* = nullptr) {
  return fmt::format("{:%Y%m%d%H%M%S}+0000", fmt::gmtime(std::chrono::system_clock::to_time_t(when)));
}

std::string next_control_id(std::chrono::system_clock::time_point when) {
  static std::atomic<std::uint32_t> counter = 0;
  return fmt::format("{}{:06}", std::chrono::system_clock::to_time_t(when), counter++ % 1000000);
}

}  // namespace

std::string escape_hl7(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '|': out += "\\F\\"; break;
      case '^': out += "\\S\\"; break;
      case '&': out += "\\T\\"; break;
      case '~': out += "\\R\\"; break;
      case '\\': out += "\\E\\"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) out += fmt::format("\\X{:02X}\\", static_cast<unsigned char>(c));
        else out += c;
    }
  }
  return out;
}

std::string observation_message(const CentralConfig& config, const Patient& patient, const Numerics& n, std::chrono::system_clock::time_point when) {
  const std::string time = utc(when), device = escape_hl7(config.device), id = next_control_id(when);
  std::string out;
  out += fmt::format("MSH|^~\\&|bedside^{0}^EUI-64|{1}|||{2}||ORU^R01^ORU_R01|{3}|P|2.6|||AL|NE||UNICODE UTF-8|||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO\r",
                     device, escape_hl7(config.bed), time, id);
  out += fmt::format("PID|||{}^^^Hospital^PI||{}^{}^^^^^L||{}|{}\r", escape_hl7(patient.id), escape_hl7(patient.family_name), escape_hl7(patient.given_name),
                     escape_hl7(patient.birth_date), escape_hl7(patient.sex));
  out += fmt::format("PV1||I|^^{}\r", escape_hl7(config.bed));
  out += fmt::format("OBR|1|{0}^bedside|{0}^bedside|182777000^monitoring of patient^SCT|||{1}\r", id, time);
  const auto& p = n.pressure;
  const auto part = [&](float BloodPressure::*field) { return p ? std::optional((*p).*field) : std::nullopt; };
  const Observation all[] = {
      {"147842^MDC_ECG_HEART_RATE^MDC", "264864^MDC_DIM_BEAT_PER_MIN^MDC", "1.1.1.1", n.heart_rate, 0},
      {"150456^MDC_PULS_OXIM_SAT_O2^MDC", "262688^MDC_DIM_PERCENT^MDC", "1.2.1.1", n.spo2, 0},
      {"149530^MDC_PULS_OXIM_PULS_RATE^MDC", "264864^MDC_DIM_BEAT_PER_MIN^MDC", "1.2.1.2", n.pulse, 0},
      {"151562^MDC_RESP_RATE^MDC", "264928^MDC_DIM_RESP_PER_MIN^MDC", "1.3.1.1", n.respiration, 0},
      {"150021^MDC_PRESS_BLD_NONINV_SYS^MDC", "266016^MDC_DIM_MMHG^MDC", "1.4.1.1", part(&BloodPressure::systolic), 0},
      {"150022^MDC_PRESS_BLD_NONINV_DIA^MDC", "266016^MDC_DIM_MMHG^MDC", "1.4.1.2", part(&BloodPressure::diastolic), 0},
      {"150023^MDC_PRESS_BLD_NONINV_MEAN^MDC", "266016^MDC_DIM_MMHG^MDC", "1.4.1.3", part(&BloodPressure::mean), 0},
      {"150344^MDC_TEMP^MDC", "268192^MDC_DIM_DEGC^MDC", "1.5.1.1", n.celsius1, 1},
      {"150344^MDC_TEMP^MDC", "268192^MDC_DIM_DEGC^MDC", "1.5.2.1", n.celsius2, 1},
  };
  int set = 0;
  out += fmt::format("OBX|{}||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||{}\r", ++set, time);
  for (const auto& o : all)
    if (o.value) out += fmt::format("OBX|{}|NM|{}|{}|{:.{}f}|{}|||||R|||{}||||{}^^{}^EUI-64\r", ++set, o.code, o.channel, *o.value, o.decimals, o.unit, time, device, device);
  return out;
}

std::string audit_message(const CentralConfig& config, const std::string& line, std::chrono::system_clock::time_point when) {
  const std::string time = utc(when), device = escape_hl7(config.device), id = next_control_id(when);
  std::string out = fmt::format("MSH|^~\\&|bedside^{0}^EUI-64|{1}|||{2}||ORU^R01^ORU_R01|{3}|P|2.6|||AL|NE||UNICODE UTF-8\r", device, escape_hl7(config.bed), time, id);
  out += fmt::format("OBR|1|{0}^bedside|{0}^bedside|SOFTWARE-AUDIT^software audit log^99BEDSIDE|||{1}\r", id, time);
  std::string_view text = line;
  while (text.ends_with('\n')) text.remove_suffix(1);
  out += fmt::format("OBX|1|ST|SOFTWARE-AUDIT^software audit log^99BEDSIDE|1|{}||||||R|||{}||||{}^^{}^EUI-64\r", escape_hl7(text), time, device, device);
  return out;
}

std::string mllp_frame(const std::string& message) { return "\x0B" + message + "\x1C\r"; }

std::string control_id_of(std::string_view message) {
  const auto fields = base::split(message.substr(0, message.find('\r')), '|');
  return fields.size() > 9 ? std::string(fields[9]) : std::string();
}

bool acknowledges(std::string_view message, std::string_view control_id) {
  for (const auto segment : base::split(message, '\r')) {
    const auto fields = base::split(segment, '|');
    if (fields.size() > 2 && fields[0] == "MSA") return (fields[1] == "AA" || fields[1] == "CA") && fields[2] == control_id;
  }
  return false;
}

}  // namespace bedside

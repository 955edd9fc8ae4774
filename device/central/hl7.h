// Numerics in, an HL7 v2.6 ORU^R01 message of the IHE PCD-01 profile out; acknowledgements in, accepted or not out.
//
// Codes are ISO/IEEE 11073-10101 (MDC) in OBX-3, units MDC in OBX-6, containment in OBX-4 (MDS.VMD.channel.metric). Only values that are shown are sent.
// Source: IHE Devices Technical Framework vol. 2, PCD-01 and appendix B; HL7 v2.6 chapters 2 and 7; MLLP: HL7 transport specification, release 1.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "device/central/config.h"
#include "device/monitor/bed.h"

namespace bedside {

std::string observation_message(const CentralConfig& config, const Patient& patient, const Numerics& numerics, std::chrono::system_clock::time_point when);

// One line of the software audit log as an ORU^R01 of a local code, without a patient: the chain leaves the device as it grows.
std::string audit_message(const CentralConfig& config, const std::string& line, std::chrono::system_clock::time_point when);

// HL7 escapes for a field: separators become \F\ \S\ \T\ \R\ \E\, control characters become \Xhh\.
std::string escape_hl7(std::string_view text);

std::string mllp_frame(const std::string& message);  // 0x0B message 0x1C 0x0D
// True for an ACK whose MSA-1 is AA or CA and whose MSA-2 is `control_id`.
bool acknowledges(std::string_view message, std::string_view control_id);
std::string control_id_of(std::string_view message);

}  // namespace bedside

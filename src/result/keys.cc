#include "result/result.h"

namespace result {

std::string_view key(Severity severity) {
  switch (severity) {
    case Severity::info: return "info";
    case Severity::low: return "low";
    case Severity::medium: return "medium";
    case Severity::high: return "high";
    case Severity::critical: return "critical";
  }
  return "";
}

std::optional<Severity> severity_from_key(std::string_view wanted) {
  for (const auto severity : {Severity::info, Severity::low, Severity::medium, Severity::high, Severity::critical})
    if (key(severity) == wanted) return severity;
  return std::nullopt;
}

std::string_view key(Confidence confidence) {
  switch (confidence) {
    case Confidence::tentative: return "tentative";
    case Confidence::firm: return "firm";
    case Confidence::confirmed: return "confirmed";
  }
  return "";
}

std::optional<Confidence> confidence_from_key(std::string_view wanted) {
  for (const auto confidence : {Confidence::tentative, Confidence::firm, Confidence::confirmed})
    if (key(confidence) == wanted) return confidence;
  return std::nullopt;
}

std::string_view key(Limb limb) {
  switch (limb) {
    case Limb::not_evaluated: return "not-evaluated";
    case Limb::holds: return "holds";
    case Limb::does_not_hold: return "does-not-hold";
  }
  return "";
}

}  // namespace result

// Implements qrs_judge.h.
#include "device/ecg/qrs_judge.h"

namespace bedside {
namespace {

constexpr std::array<float, qrs_feature_count> weights = {1.0F, 3.5F, 1.0F, 1.0F, -2.0F, 1.5F, -6.0F, 3.0F,
                                                          1.5F, 0.5F, 0.2F, -0.4F, 2.0F, 0.0F, 0.7F, 0.0F};

}  // namespace

float judge_qrs(const std::array<float, qrs_feature_count>& features) {
  float sum = 0;
  for (std::size_t i = 0; i < features.size(); ++i) sum += weights[i] * features[i];
  return sum;
}

}  // namespace bedside

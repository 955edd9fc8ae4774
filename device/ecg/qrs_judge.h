// What a QRS candidate looks like in, log odds that it is one out.
#pragma once

#include <array>

#include "device/ecg/qrs.h"

namespace bedside {

float judge_qrs(const std::array<float, qrs_feature_count>& features);

}  // namespace bedside

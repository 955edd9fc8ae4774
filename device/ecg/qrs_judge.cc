// Implements qrs_judge.h. The weights were fitted as device/README.md tells; the features are computed in QrsDetector::describe().
#include "device/ecg/qrs_judge.h"

namespace bedside {
namespace {

constexpr std::array<float, qrs_feature_count> weights = {
       -1.286F,  // bias
       -1.273F,  // height
       0.6013F,  // contrast
       -3.618F,  // likeness
       -2.625F,  // early
       0.4851F,  // late
       -7.831F,  // t-zone
        2.107F,  // after-tall
        1.492F,  // rival-soon
        0.633F,  // rival-later
        1.864F,  // weakest
     0.008411F,  // slowness
        7.905F,  // likeness^4
      -0.9569F,  // height*likeness
        1.672F,  // on-time
      -0.5309F,  // last-sure
       -0.378F,  // greatest
        2.622F,  // wide-height
      -0.6493F,  // alone
        2.757F,  // next
       -2.162F,  // since
        1.647F,  // depth
       0.2464F,  // last-slow
        4.154F,  // busy
};

}  // namespace

float judge_qrs(const std::array<float, qrs_feature_count>& features) {
  float sum = 0;
  for (std::size_t i = 0; i < features.size(); ++i) sum += weights[i] * features[i];
  return sum;
}

}  // namespace bedside

// Implements qrs_judge.h. The weights were fitted as device/README.md tells; the features are computed in QrsDetector::describe().
#include "device/ecg/qrs_judge.h"

namespace bedside {
namespace {

constexpr std::array<float, qrs_feature_count> weights = {
      -0.7927F,  // bias
       -1.338F,  // height
       0.6363F,  // contrast
       -4.177F,  // likeness
       -2.786F,  // early
      -0.8249F,  // late
       -6.273F,  // t-zone
        2.275F,  // after-tall
        1.411F,  // rival-soon
       0.5352F,  // rival-later
        2.142F,  // weakest
       0.2456F,  // slowness
        7.636F,  // likeness^4
       -1.245F,  // height*likeness
        1.841F,  // on-time
       -1.385F,  // last-sure
      -0.2156F,  // late*likeness^4
        2.039F,  // wide-height
        1.042F,  // late*contrast
        2.849F,  // next
       -2.228F,  // since
        1.673F,  // depth
       0.3931F,  // last-slow
        3.416F,  // busy
};

}  // namespace

float judge_qrs(const std::array<float, qrs_feature_count>& features) {
  float sum = 0;
  for (std::size_t i = 0; i < features.size(); ++i) sum += weights[i] * features[i];
  return sum;
}

}  // namespace bedside

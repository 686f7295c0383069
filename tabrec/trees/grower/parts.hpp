// Accumulators of the parts of a criterion.
#pragma once

#include <type_traits>

#include "classes.hpp"
#include "outputs.hpp"

namespace grower {

template <int kCriterion>
using Parts = std::conditional_t<kCriterion == kOutputs, OutputSums, ClassWeights>;

}  // namespace grower

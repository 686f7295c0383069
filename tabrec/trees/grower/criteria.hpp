// Impurities, in the formulas and the order of operations of scikit-learn, so that equal splits stay equal.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "buffers.hpp"
#include "lanes.hpp"

namespace grower {

enum Criterion : int32_t { kSquaredError = 0, kGini = 1, kEntropy = 2, kClasses = 3, kOutputs = 4 };

// Criteria with more than two sums per bin, for which rows are sorted.
constexpr bool has_parts(int criterion) { return criterion == kClasses || criterion == kOutputs; }

// The statistics of a node for one criterion. For two classes, `sum` is the weight of the second one.
struct Totals {
    double sum = 0, weight = 0, squares = 0;
    double lowest = kInfinity, highest = -kInfinity;
};

template <int kCriterion, class Real>
inline Real proxy(Real left_sum, Real left_weight, Real sum, Real weight) {
    const Real right_sum = sum - left_sum, right_weight = weight - left_weight;
    if constexpr (kCriterion == kSquaredError) {
        return left_sum * left_sum / left_weight + right_sum * right_sum / right_weight;
    } else {
        const Real left_other = left_weight - left_sum, right_other = right_weight - right_sum;
        const Real left = 1.0 - (left_other * left_other + left_sum * left_sum) / (left_weight * left_weight);
        const Real right = 1.0 - (right_other * right_other + right_sum * right_sum) / (right_weight * right_weight);
        return -right_weight * right - left_weight * left;
    }
}

inline double entropy_term(double part, double weight) {
    if (part <= 0.0) return 0.0;
    const double share = part / weight;
    return share * (std::log(share) / std::log(2.0));  // in bits
}

inline double entropy_of_two(double second, double weight) {
    double entropy = 0.0;
    entropy -= entropy_term(weight - second, weight);
    entropy -= entropy_term(second, weight);
    return entropy;
}

inline double entropy_proxy(double left_sum, double left_weight, double sum, double weight) {
    const double right_weight = weight - left_weight;
    return -right_weight * entropy_of_two(sum - left_sum, right_weight) -
           left_weight * entropy_of_two(left_sum, left_weight);
}

template <int kCriterion>
inline double impurity(const Totals& node) {
    if (node.lowest == node.highest) return 0.0;
    if constexpr (kCriterion == kSquaredError) {
        const double mean = node.sum / node.weight;
        return node.squares / node.weight - mean * mean;
    } else if constexpr (kCriterion == kGini) {
        const double other = node.weight - node.sum;
        return 1.0 - (other * other + node.sum * node.sum) / (node.weight * node.weight);
    } else {
        return entropy_of_two(node.sum, node.weight);
    }
}

inline double impurity_of_classes(const Buffer<double>& weights, double weight, bool entropy) {
    double total = 0.0;
    for (double part : weights) total += entropy ? entropy_term(part, weight) : part * part;
    return entropy ? -total : 1.0 - total / (weight * weight);
}

// Totals of the given rows; `classes` receives the weights of more than two classes.
template <int kCriterion, class Stat, class Id>
inline Totals sum_up(const Id* ids, int64_t n, const Stat* stats, const double* target, Buffer<double>& classes) {
    Totals totals;
    if constexpr (kCriterion == kClasses) std::fill(classes.begin(), classes.end(), 0.0);
    for (int64_t i = 0; i < n; ++i) {
        const Stat& stat = stats[ids[i]];
        const double y = target[ids[i]];
        const double weight = stat.weight();
        totals.weight += weight;
        totals.lowest = std::min(totals.lowest, y);
        totals.highest = std::max(totals.highest, y);
        if constexpr (kCriterion == kClasses) {
            classes[static_cast<int32_t>(y)] += weight;
        } else {
            totals.sum += stat.sum;
            if constexpr (kCriterion == kSquaredError) totals.squares += stat.sum * y;
        }
    }
    return totals;
}

}  // namespace grower

// Splits of more than two classes: their weights left of a boundary are kept while the rows move there.
#pragma once

#include <algorithm>
#include <cstdint>

#include "codes.hpp"
#include "criteria.hpp"
#include "keys.hpp"
#include "nodes.hpp"

namespace grower {

class ClassWeights {
public:
    explicit ClassWeights(const Settings& settings)
        : set_(settings), total_(settings.n_classes), left_(settings.n_classes) {}

    // Weights of the classes of a node, which `best_boundary` needs.
    template <class Id, class Stat>
    void count(const Id* ids, int64_t n, const Stat* stats) {
        std::fill(total_.begin(), total_.end(), 0.0);
        for (int64_t i = 0; i < n; ++i) total_[static_cast<int32_t>(stats[ids[i]].sum)] += stats[ids[i]].weight();
    }

    // The shares of the classes of the counted node.
    void append_values(double weight, Buffer<double>& values) const {
        for (double part : total_) values.push_back(part / weight);
    }

    template <class Stat>
    Best best_boundary(const Todo& node, const Keys& keys, const Stat* stats, const float* values) {
        Best best;
        const int64_t n = keys.size();
        std::fill(left_.begin(), left_.end(), 0.0);
        Sides sides;
        sides.right_weight = node.totals.weight;
        for (double weight : total_) sides.right_squares += weight * weight;
        for (int64_t i = 0; i + 1 < n; ++i) {
            const Stat& stat = stats[keys.row(i)];
            const int32_t k = static_cast<int32_t>(stat.sum);
            const double own = stat.weight(), left = left_[k], right = total_[k] - left;
            sides.left_weight += own;
            sides.left_squares += own * (2 * left + own);
            sides.right_squares += own * (own - 2 * right);
            left_[k] = left + own;
            const uint32_t code = keys.code(i), next = keys.code(i + 1);
            if (code == next || i + 1 < set_.min_samples_leaf || n - i - 1 < set_.min_samples_leaf) continue;
            sides.right_weight = node.totals.weight - sides.left_weight;
            if (sides.left_weight < set_.min_weight_leaf || sides.right_weight < set_.min_weight_leaf) continue;
            if (are_one_value(values[code], values[next])) continue;
            const double gain = set_.criterion == kEntropy ? entropy_gain(sides) : gini_gain(sides);
            if (gain > best.gain) best = {gain, code, next};
        }
        return best;
    }

private:
    struct Sides {
        double left_weight = 0, right_weight = 0, left_squares = 0, right_squares = 0;
    };

    static double gini_gain(const Sides& sides) {
        const double left = 1.0 - sides.left_squares / (sides.left_weight * sides.left_weight);
        const double right = 1.0 - sides.right_squares / (sides.right_weight * sides.right_weight);
        return -sides.right_weight * right - sides.left_weight * left;
    }

    double entropy_gain(const Sides& sides) const {
        double left = 0.0, right = 0.0;
        for (size_t k = 0; k < total_.size(); ++k) {
            left -= entropy_term(left_[k], sides.left_weight);
            right -= entropy_term(total_[k] - left_[k], sides.right_weight);
        }
        return -sides.right_weight * right - sides.left_weight * left;
    }

    const Settings& set_;
    Buffer<double> total_, left_;
};

}  // namespace grower

// Splits for more than two classes, whose weights on the left are updated as rows pass a boundary.
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
        : set_(settings), total_((settings.n_classes + 3) / 4 * 4), left_(total_.size()) {}

    // Weights of the classes of a node, which `best_boundary` needs.
    template <class Id, class Stat>
    void count(const Id* ids, int64_t n, const Stat* stats) {
        std::fill(total_.begin(), total_.end(), 0.0);
        for (int64_t i = 0; i < n; ++i) total_[static_cast<int32_t>(stats[ids[i]].sum)] += stats[ids[i]].weight();
    }

    // The shares of the classes of the counted node.
    void append_values(double weight, Buffer<double>& values) const {
        for (int32_t k = 0; k < set_.n_classes; ++k) values.push_back(total_[k] / weight);
    }

    int64_t n_parts() const { return static_cast<int64_t>(total_.size()); }

    template <class Stat>
    void add(const Stat& stat, double* parts) const {
        parts[static_cast<int32_t>(stat.sum)] += stat.weight();
    }

    // The gain of a split, from the weights of the classes left of it.
    double gain(const double* left, double left_weight, double right_weight) const {
        if (set_.criterion == kEntropy) return entropy_gain(left, left_weight, right_weight);
        // Four partial sums in all instruction sets, for the same rounding.
        Four left_squares{}, right_squares{};
        for (int64_t k = 0; k < n_parts(); k += 4) {
            const Four own = load_four(left + k), rest = load_four(total_.data() + k) - own;
            left_squares += own * own;
            right_squares += rest * rest;
        }
        return gini_gain({left_weight, right_weight, sum_of(left_squares), sum_of(right_squares)});
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
            const double gain = set_.criterion == kEntropy ? entropy_gain(left_.data(), sides.left_weight, sides.right_weight)
                                                             : gini_gain(sides);
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

    double entropy_gain(const double* parts, double left_weight, double right_weight) const {
        double left = 0.0, right = 0.0;
        for (size_t k = 0; k < total_.size(); ++k) {
            left -= entropy_term(parts[k], left_weight);
            right -= entropy_term(total_[k] - parts[k], right_weight);
        }
        return -right_weight * right - left_weight * left;
    }

    const Settings& set_;
    Buffer<double> total_, left_;
};

}  // namespace grower

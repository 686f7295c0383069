// Finds the best boundary between groups of rows that are sorted by code.
#pragma once

#include <cstdint>

#include "codes.hpp"
#include "criteria.hpp"
#include "lanes.hpp"
#include "nodes.hpp"

namespace grower {

// Sum, weight and number of the rows of each group and of those before it.
struct Groups {
    Buffer<double> sum, weight, count;
    Buffer<uint32_t> code;
    int64_t n = 0;

    void reserve(int64_t most) {
        if (static_cast<int64_t>(code.size()) >= most) return;
        for (auto* values : {&sum, &weight, &count}) values->resize(most + kLanes);
        code.resize(most);
    }
};

// Adds up bins in ascending order.
template <class Stat>
struct Prefix {
    Stat total{};
    Groups& groups;
    explicit Prefix(Groups& into) : groups(into) { groups.n = 0; }
    void append(const Stat& stat, uint32_t code) {
        total.add(stat);
        put(code);
    }
    void put(uint32_t code) {
        groups.sum[groups.n] = total.sum;
        groups.weight[groups.n] = total.weight();
        groups.count[groups.n] = total.count();
        groups.code[groups.n++] = code;
    }
};

// For two classes, constraints apply to the share of the first.
template <int kCriterion>
inline double bounded_value(double sum, double weight) {
    return (kCriterion == kSquaredError ? sum : weight - sum) / weight;
}

template <int kCriterion>
class Boundaries {
public:
    Boundaries(const Codes& codes, const Settings& settings) : set_(settings), one_by_one_(codes.n_columns) {
        for (int32_t c = 0; c < codes.n_columns; ++c)
            one_by_one_[c] =
                codes.columns[c].has_close_values || set_.monotonic_sign(c) != 0 || kCriterion == kEntropy;
    }

    // Used for columns of close values, for constraints, and for entropy, because the logarithm is not vectorised.
    bool is_one_by_one(int32_t feature) const { return one_by_one_[feature]; }

    Best find(const Groups& groups, const Todo& node, int32_t feature, const float* values) const {
        return one_by_one_[feature] ? find_one_by_one(groups, node, feature, values) : find_in_lanes(groups, node);
    }

    // The gain of a split with the given sums left of it, minus infinity if it is not allowed.
    double gain(const Todo& node, int32_t feature, double left_sum, double left_weight, double count) const {
        const double sum = node.totals.sum, weight = node.totals.weight;
        const double n_rows = static_cast<double>(node.n_rows());
        if (count < set_.min_samples_leaf || n_rows - count < set_.min_samples_leaf) return -kInfinity;
        const int sign = set_.monotonic_sign(feature);
        if (sign != 0) {
            const double left = bounded_value<kCriterion>(left_sum, left_weight);
            const double right = bounded_value<kCriterion>(sum - left_sum, weight - left_weight);
            if (left < node.lower || right < node.lower || left > node.upper || right > node.upper ||
                (left - right) * sign > 0)
                return -kInfinity;
        }
        if (left_weight < set_.min_weight_leaf || weight - left_weight < set_.min_weight_leaf) return -kInfinity;
        return kCriterion == kEntropy ? entropy_proxy(left_sum, left_weight, sum, weight)
                                      : proxy<kLaneCriterion>(left_sum, left_weight, sum, weight);
    }

private:
    static constexpr int kLaneCriterion = kCriterion == kEntropy ? kGini : kCriterion;

    Best find_in_lanes(const Groups& groups, const Todo& node) const {
        const int64_t n = groups.n - 1;
        const Doubles sum = all(node.totals.sum), weight = all(node.totals.weight);
        const Doubles count = all(static_cast<double>(node.n_rows()));
        const Doubles least = all(static_cast<double>(set_.min_samples_leaf)), least_weight = all(set_.min_weight_leaf);
        Doubles best = all(-kInfinity), best_at = all(0.0), at;
        for (int lane = 0; lane < kLanes; ++lane) at[lane] = lane;
        for (int64_t g = 0; g < n; g += kLanes) {
            const Doubles left_sum = load(&groups.sum[g]), left_weight = load(&groups.weight[g]);
            const Doubles left_count = load(&groups.count[g]);
            const Doubles gain = proxy<kLaneCriterion>(left_sum, left_weight, sum, weight);
            const auto better = (gain > best) & (left_count >= least) & (count - left_count >= least) &
                                (left_weight >= least_weight) & (weight - left_weight >= least_weight) &
                                (at < all(static_cast<double>(n)));
            best = better ? gain : best;
            best_at = better ? at : best_at;
            at += all(kLanes);
        }
        double gain = -kInfinity;
        int64_t winner = -1;
        for (int lane = 0; lane < kLanes; ++lane)
            if (best[lane] > gain || (best[lane] == gain && winner >= 0 && best_at[lane] < winner)) {
                gain = best[lane];
                winner = static_cast<int64_t>(best_at[lane]);
            }
        return winner < 0 ? Best{} : Best{gain, groups.code[winner], groups.code[winner + 1]};
    }

    Best find_one_by_one(const Groups& groups, const Todo& node, int32_t feature, const float* values) const {
        Best best;
        for (int64_t g = 0; g + 1 < groups.n; ++g) {
            if (are_one_value(values[groups.code[g]], values[groups.code[g + 1]])) continue;
            const double found = gain(node, feature, groups.sum[g], groups.weight[g], groups.count[g]);
            if (found > best.gain) best = {found, groups.code[g], groups.code[g + 1]};
        }
        return best;
    }

    const Settings& set_;
    Buffer<uint8_t> one_by_one_;
};

}  // namespace grower

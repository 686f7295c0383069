// Splits for several outputs: what they add up to left of a boundary is kept while the rows move there.
#pragma once

#include <algorithm>
#include <cstdint>

#include "codes.hpp"
#include "criteria.hpp"
#include "keys.hpp"
#include "nodes.hpp"

namespace grower {

// The `sum` of a row's statistic is its number in the table, where its outputs are. A part is the sum of an output, or
// the weight of one of its classes; the parts of output k are those from `starts_[k]` to `starts_[k + 1]`.
class OutputSums {
public:
    explicit OutputSums(const Settings& settings) : set_(settings) {
        starts_.push_back(0);
        for (int32_t k = 0; k < set_.n_outputs; ++k)
            starts_.push_back(starts_.back() + (has_classes() ? set_.classes_of_outputs[k] : 1));
        total_.resize(starts_.back());
        left_.resize(starts_.back());
        own_.resize(starts_.back());
    }

    // The parts of a node, which `best_boundary` needs.
    template <class Id, class Stat>
    void count(const Id* ids, int64_t n, const Stat* stats) {
        std::fill(total_.begin(), total_.end(), 0.0);
        for (int64_t i = 0; i < n; ++i) add(total_, stats[ids[i]]);
    }

    // Sets the weight and the impurity of a node.
    template <class Id, class Stat>
    void sum_up(Todo& node, const Id* ids, int64_t n, const Stat* stats) {
        std::fill(own_.begin(), own_.end(), 0.0);
        node.totals = Totals();
        double squares = 0.0;
        bool is_pure = true;
        const double* const first = outputs_of(stats[ids[0]]);
        for (int64_t i = 0; i < n; ++i) {
            const Stat& stat = stats[ids[i]];
            const double* const outputs = outputs_of(stat);
            node.totals.weight += stat.weight();
            add(own_, stat);
            for (int32_t k = 0; k < set_.n_outputs; ++k) {
                squares += stat.weight() * outputs[k] * outputs[k];
                is_pure = is_pure && outputs[k] == first[k];
            }
        }
        node.impurity = is_pure ? 0.0 : impurity(own_, node.totals.weight, squares);
    }

    // The values of the counted node: of each output its mean, or the shares of its classes followed by zeros.
    void append_values(double weight, Buffer<double>& values) const {
        int64_t most = 1;
        for (int32_t k = 0; k < set_.n_outputs; ++k) most = std::max<int64_t>(most, starts_[k + 1] - starts_[k]);
        for (int32_t k = 0; k < set_.n_outputs; ++k) {
            for (int64_t part = starts_[k]; part < starts_[k + 1]; ++part) values.push_back(total_[part] / weight);
            values.resize(values.size() + most - (starts_[k + 1] - starts_[k]), 0.0);
        }
    }

    template <class Stat>
    Best best_boundary(const Todo& node, const Keys& keys, const Stat* stats, const float* values) {
        Best best;
        const int64_t n = keys.size();
        std::fill(left_.begin(), left_.end(), 0.0);
        double left_weight = 0;
        for (int64_t i = 0; i + 1 < n; ++i) {
            const Stat& stat = stats[keys.row(i)];
            add(left_, stat);
            left_weight += stat.weight();
            const uint32_t code = keys.code(i), next = keys.code(i + 1);
            if (code == next || i + 1 < set_.min_samples_leaf || n - i - 1 < set_.min_samples_leaf) continue;
            const double right_weight = node.totals.weight - left_weight;
            if (left_weight < set_.min_weight_leaf || right_weight < set_.min_weight_leaf) continue;
            if (are_one_value(values[code], values[next])) continue;
            const double gain = has_classes() ? gain_of_classes(left_weight, right_weight)
                                              : gain_of_sums(left_weight, right_weight);
            if (gain > best.gain) best = {gain, code, next};
        }
        return best;
    }

private:
    bool has_classes() const { return set_.classes_of_outputs != nullptr; }

    template <class Stat>
    const double* outputs_of(const Stat& stat) const {
        return set_.outputs + static_cast<int64_t>(stat.sum) * set_.n_outputs;
    }

    template <class Stat>
    void add(Buffer<double>& parts, const Stat& stat) const {
        const double* const outputs = outputs_of(stat);
        const double weight = stat.weight();
        for (int32_t k = 0; k < set_.n_outputs; ++k) {
            if (has_classes())
                parts[starts_[k] + static_cast<int64_t>(outputs[k])] += weight;
            else
                parts[k] += weight * outputs[k];
        }
    }

    double gain_of_sums(double left_weight, double right_weight) const {
        double left = 0.0, right = 0.0;
        for (size_t k = 0; k < total_.size(); ++k) {
            const double rest = total_[k] - left_[k];
            left += left_[k] * left_[k];
            right += rest * rest;
        }
        return left / left_weight + right / right_weight;
    }

    double gain_of_classes(double left_weight, double right_weight) const {
        double left = 0.0, right = 0.0;
        for (int32_t k = 0; k < set_.n_outputs; ++k) {
            add_impurity(k, left_weight, [this](int64_t part) { return left_[part]; }, left);
            add_impurity(k, right_weight, [this](int64_t part) { return total_[part] - left_[part]; }, right);
        }
        return -right_weight * (right / set_.n_outputs) - left_weight * (left / set_.n_outputs);
    }

    // Adds up terms in the order of scikit-learn, as other orders are rounded differently.
    template <class Part>
    void add_impurity(int32_t k, double weight, Part part_at, double& total) const {
        if (set_.criterion == kEntropy) {
            for (int64_t part = starts_[k]; part < starts_[k + 1]; ++part) total -= entropy_term(part_at(part), weight);
            return;
        }
        double squares = 0.0;
        for (int64_t part = starts_[k]; part < starts_[k + 1]; ++part) squares += part_at(part) * part_at(part);
        total += 1.0 - squares / (weight * weight);
    }

    double impurity(const Buffer<double>& parts, double weight, double squares) const {
        double total = 0.0;
        if (has_classes()) {
            for (int32_t k = 0; k < set_.n_outputs; ++k)
                add_impurity(k, weight, [&](int64_t part) { return parts[part]; }, total);
        } else {
            total = squares / weight;
            for (double sum : parts) total -= sum / weight * (sum / weight);
        }
        return total / set_.n_outputs;
    }

    const Settings& set_;
    Buffer<int64_t> starts_;
    Buffer<double> total_, left_, own_;
};

}  // namespace grower

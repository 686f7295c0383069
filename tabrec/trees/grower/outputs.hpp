// Splits for several outputs, whose sums on the left are updated as rows pass a boundary.
#pragma once

#include <algorithm>
#include <cstdint>

#include "codes.hpp"
#include "criteria.hpp"
#include "keys.hpp"
#include "nodes.hpp"

namespace grower {

// The `sum` of a row's statistic is the number of the row, by which its outputs are looked up. A part is the sum of an
// output, or the weight of one of its classes; the parts of output k are those from `starts_[k]` to `starts_[k + 1]`.
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
        for (int64_t i = 0; i < n; ++i) add(stats[ids[i]], total_.data());
    }

    int64_t n_parts() const { return static_cast<int64_t>(total_.size()); }

    template <class Stat>
    void add(const Stat& stat, double* parts) const {
        const double* const outputs = outputs_of(stat);
        const double weight = stat.weight();
        for (int32_t k = 0; k < set_.n_outputs; ++k) {
            if (has_classes())
                parts[starts_[k] + static_cast<int64_t>(outputs[k])] += weight;
            else
                parts[k] += weight * outputs[k];
        }
    }

    // The gain of a split, from the parts left of it.
    double gain(const double* left, double left_weight, double right_weight) const {
        return has_classes() ? gain_of_classes(left, left_weight, right_weight)
                             : gain_of_sums(left, left_weight, right_weight);
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
            add(stat, own_.data());
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
            add(stat, left_.data());
            left_weight += stat.weight();
            const uint32_t code = keys.code(i), next = keys.code(i + 1);
            if (code == next || i + 1 < set_.min_samples_leaf || n - i - 1 < set_.min_samples_leaf) continue;
            const double right_weight = node.totals.weight - left_weight;
            if (left_weight < set_.min_weight_leaf || right_weight < set_.min_weight_leaf) continue;
            if (are_one_value(values[code], values[next])) continue;
            const double found = gain(left_.data(), left_weight, right_weight);
            if (found > best.gain) best = {found, code, next};
        }
        return best;
    }

private:
    bool has_classes() const { return set_.classes_of_outputs != nullptr; }

    template <class Stat>
    const double* outputs_of(const Stat& stat) const {
        return set_.outputs + static_cast<int64_t>(stat.sum) * set_.n_outputs;
    }

    double gain_of_sums(const double* parts, double left_weight, double right_weight) const {
        double left = 0.0, right = 0.0;
        for (size_t k = 0; k < total_.size(); ++k) {
            const double rest = total_[k] - parts[k];
            left += parts[k] * parts[k];
            right += rest * rest;
        }
        return left / left_weight + right / right_weight;
    }

    double gain_of_classes(const double* parts, double left_weight, double right_weight) const {
        double left = 0.0, right = 0.0;
        for (int32_t k = 0; k < set_.n_outputs; ++k) {
            add_impurity(k, left_weight, [&](int64_t part) { return parts[part]; }, left);
            add_impurity(k, right_weight, [&](int64_t part) { return total_[part] - parts[part]; }, right);
        }
        return -right_weight * (right / set_.n_outputs) - left_weight * (left / set_.n_outputs);
    }

    // Sums terms in the order of scikit-learn, for the same rounding.
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

// Splits for criteria with more than two sums, by bins of all sums, which is faster for columns of few values.
#pragma once

#include <cstdint>

#include "codes.hpp"
#include "nodes.hpp"
#include "parts.hpp"

namespace grower {

template <int kCriterion>
class PartBins {
public:
    PartBins(const Settings& settings, const Parts<kCriterion>& parts) : set_(settings), parts_(parts) {}

    // Whether bins are faster than sorting the rows.
    bool pay(int64_t n_rows, int64_t n_values) const { return n_values * (parts_.n_parts() + kOwn) <= 8 * n_rows; }

    // `code_at` and `stat_at` are those of the i-th row of the node.
    template <class CodeAt, class StatAt>
    Best find(const Todo& node, int64_t n_values, const float* values, CodeAt code_at, StatAt stat_at) {
        const int64_t n = node.n_rows(), n_parts = parts_.n_parts(), width = n_parts + kOwn;
        bins_.assign(n_values * width, 0.0);
        for (int64_t i = 0; i < n; ++i) {
            double* const bin = bins_.data() + code_at(i) * width;
            const auto& stat = stat_at(i);
            bin[0] += 1.0;
            bin[1] += stat.weight();
            parts_.add(stat, bin + kOwn);
        }
        left_.assign(n_parts, 0.0);
        Best best;
        double count = 0.0, left_weight = 0.0;
        int64_t last = -1;
        for (int64_t code = 0; code < n_values; ++code) {
            const double* const bin = bins_.data() + code * width;
            if (bin[0] == 0.0) continue;
            const double right_weight = node.totals.weight - left_weight;
            if (last >= 0 && count >= set_.min_samples_leaf && n - count >= set_.min_samples_leaf &&
                left_weight >= set_.min_weight_leaf && right_weight >= set_.min_weight_leaf &&
                !are_one_value(values[last], values[code])) {
                const double gain = parts_.gain(left_.data(), left_weight, right_weight);
                if (gain > best.gain) best = {gain, static_cast<uint32_t>(last), static_cast<uint32_t>(code)};
            }
            count += bin[0];
            left_weight += bin[1];
            for (int64_t part = 0; part < n_parts; ++part) left_[part] += bin[kOwn + part];
            last = code;
        }
        return best;
    }

private:
    static constexpr int64_t kOwn = 2;  // the number of rows and their weight

    const Settings& set_;
    const Parts<kCriterion>& parts_;
    Buffer<double> bins_, left_;
};

}  // namespace grower

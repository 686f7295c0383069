// Draws the features and the random thresholds of a node as scikit-learn does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "buffers.hpp"

namespace grower {

class FeatureDraws {
public:
    FeatureDraws(int32_t n_columns, uint32_t seed) : state_(seed), features_(n_columns), constants_(n_columns) {
        std::iota(features_.begin(), features_.end(), 0);
        drawn_.reserve(n_columns);
    }

    // Constant columns count towards `max_features`, and are skipped in descendants. `n_constants` is their number.
    template <class IsConstant>
    const Buffer<int32_t>& draw(int64_t max_features, int64_t& n_constants, IsConstant is_constant) {
        drawn_.clear();
        int64_t not_drawn = static_cast<int64_t>(features_.size()), n_visited = 0, n_found = 0, n_drawn_constants = 0;
        const int64_t n_known = n_constants;
        while (not_drawn > n_constants && (n_visited < max_features || n_visited <= n_found + n_drawn_constants)) {
            ++n_visited;
            int64_t at = random(n_drawn_constants, not_drawn - n_found);
            if (at < n_known) {
                std::swap(features_[n_drawn_constants], features_[at]);
                ++n_drawn_constants;
                continue;
            }
            at += n_found;
            const int32_t feature = features_[at];
            if (is_constant(feature)) {
                std::swap(features_[at], features_[n_constants]);
                ++n_found;
                ++n_constants;
                continue;
            }
            --not_drawn;
            std::swap(features_[not_drawn], features_[at]);
            drawn_.push_back(feature);
        }
        std::copy_n(constants_.begin(), n_known, features_.begin());
        std::copy_n(features_.begin() + n_known, n_found, constants_.begin() + n_known);
        return drawn_;
    }

    double uniform(double low, double high) { return (high - low) * static_cast<double>(next()) / 2147483647.0 + low; }

    // The first `n_constants` of a node are the columns known to be constant in it.
    const Buffer<int32_t>& constants() const { return constants_; }

private:
    int64_t random(int64_t low, int64_t high) {
        return low + static_cast<int64_t>(next() % static_cast<uint32_t>(high - low));
    }

    uint32_t next() {
        if (state_ == 0) state_ = 1;
        state_ ^= state_ << 13;
        state_ ^= state_ >> 17;
        state_ ^= state_ << 5;
        return state_ & 0x7fffffffu;
    }

    uint32_t state_;
    Buffer<int32_t> features_, constants_, drawn_;
};

}  // namespace grower

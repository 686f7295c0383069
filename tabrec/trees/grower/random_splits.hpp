// Splits at random thresholds, as in scikit-learn's random splitter: one threshold for each feature drawn.
#pragma once

#include <algorithm>
#include <cstdint>

#include "boundaries.hpp"
#include "codes.hpp"
#include "draws.hpp"
#include "nodes.hpp"
#include "parts.hpp"

namespace grower {

template <class Stat, int kCriterion>
class RandomSplits {
public:
    RandomSplits(const Settings& settings, const Boundaries<kCriterion>& boundaries, Parts<kCriterion>& parts)
        : set_(settings), boundaries_(boundaries), parts_(parts) {}

    // The best of the splits of a node at random thresholds of the features drawn; false if none is good enough.
    template <class Rows>
    bool find(const Todo& node, Rows& rows, FeatureDraws& draws, int64_t& n_constants, Split& split) {
        rows.find_ranges(node);
        cuts_.clear();
        draws.draw(set_.max_features, n_constants, [&](int32_t feature) {
            const float* const values = rows.values(feature);
            const Range range = rows.range(feature);
            if (are_one_value(values[range.low], values[range.high])) return true;
            cuts_.push_back(cut(values, range, draws.uniform(values[range.low], values[range.high]), feature));
            return false;
        });
        const double gain = has_parts(kCriterion) ? find_by_parts(node, rows, split) : find_by_sums(node, rows, split);
        return gain > -kInfinity;
    }

private:
    // Rows of codes up to `low` go left.
    static Split cut(const float* values, Range range, double threshold, int32_t feature) {
        if (threshold == values[range.high]) threshold = values[range.low];
        const float* const above = std::upper_bound(values + range.low, values + range.high, threshold);
        return {feature, static_cast<uint32_t>(above - values - 1), threshold};
    }

    template <class Rows>
    double find_by_sums(const Todo& node, const Rows& rows, Split& split) {
        typedef typename Rows::Place Place;
        const size_t n_cuts = cuts_.size();
        sides_.assign(2 * n_cuts, Stat{});  // of each cut the rows that go right, then those that go left
        Buffer<Place>& places = rows.places();
        places.clear();
        for (const Split& each : cuts_) places.push_back(rows.place(each.feature));
        rows.visit(node, [&](const auto* row, const Stat& stat) {
            for (size_t k = 0; k < n_cuts; ++k) sides_[2 * k + (Rows::code(row, places[k]) <= cuts_[k].low)].add(stat);
        });
        double best = -kInfinity;
        for (size_t k = 0; k < n_cuts; ++k) {
            const Stat& left = sides_[2 * k + 1];
            const double gain = boundaries_.gain(node, cuts_[k].feature, left.sum, left.weight(), left.count());
            if (gain > best) {
                best = gain;
                split = cuts_[k];
            }
        }
        return best;
    }

    template <class Rows>
    double find_by_parts(const Todo& node, const Rows& rows, Split& split) {
        double best = -kInfinity;
        for (const Split& each : cuts_) {
            const auto place = rows.place(each.feature);
            left_.assign(parts_.n_parts(), 0.0);
            double weight = 0.0;
            int64_t count = 0;
            rows.visit(node, [&](const auto* row, const Stat& stat) {
                if (Rows::code(row, place) > each.low) return;
                parts_.add(stat, left_.data());
                weight += stat.weight();
                ++count;
            });
            const double other = node.totals.weight - weight;
            if (count < set_.min_samples_leaf || node.n_rows() - count < set_.min_samples_leaf ||
                weight < set_.min_weight_leaf || other < set_.min_weight_leaf)
                continue;
            const double gain = parts_.gain(left_.data(), weight, other);
            if (gain > best) {
                best = gain;
                split = each;
            }
        }
        return best;
    }

    const Settings& set_;
    const Boundaries<kCriterion>& boundaries_;
    Parts<kCriterion>& parts_;
    Buffer<Split> cuts_;
    Buffer<Stat> sides_;
    Buffer<double> left_;
};

}  // namespace grower

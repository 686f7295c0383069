// Large nodes, whose codes are read from the table of the forest.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "boundaries.hpp"
#include "part_bins.hpp"
#include "codes.hpp"
#include "keys.hpp"
#include "nodes.hpp"

namespace grower {

// Number of rows that are prefetched.
constexpr int64_t kAhead = 12;

template <class Stat, int kCriterion>
class LargeNodes {
public:
    LargeNodes(const Codes& codes, const Settings& settings, const double* target, const double* weights,
               const Boundaries<kCriterion>& boundaries, Groups& groups, Keys& keys, Parts<kCriterion>& parts)
        : codes_(codes), target_(target), boundaries_(boundaries), groups_(groups), keys_(keys), parts_(parts),
          part_bins_(settings, parts) {
        stats_.resize(codes.n_rows);
        rows_.reserve(codes.n_rows);
        for (int64_t i = 0; i < codes.n_rows; ++i) {
            const double weight = weights == nullptr ? 1.0 : weights[i];
            if (weight == 0.0) continue;
            stats_[i] = Stat::of(has_parts(kCriterion) ? target[i] : weight * target[i], weight);
            rows_.push_back(static_cast<uint32_t>(i));
        }
        spare_.resize(rows_.size());
    }

    int64_t n_rows() const { return static_cast<int64_t>(rows_.size()); }
    const uint32_t* ids() const { return rows_.data(); }
    const Stat* stats() const { return stats_.data(); }

    bool is_constant(const Todo& node, int32_t feature) const {
        const Column& column = codes_.columns[feature];
        uint32_t low = codes_.code(rows_[node.start], column), high = low;
        for (int64_t i = node.start + 1; i < node.end; ++i) {
            if (i + kAhead < node.end) __builtin_prefetch(codes_.row(rows_[i + kAhead]) + column.offset);
            const uint32_t code = codes_.code(rows_[i], column);
            if (code != low && !column.has_close_values) return false;
            low = std::min(low, code);
            high = std::max(high, code);
        }
        return are_one_value(column.values[low], column.values[high]);
    }

    // A column in the row of a table.
    struct Place {
        uint32_t offset, width;
    };

    static uint32_t code(const uint8_t* row, Place place) {
        return place.width == 1 ? row[place.offset] : read_wide(row + place.offset, place.width);
    }

    Place place(int32_t feature) const { return {codes_.columns[feature].offset, codes_.columns[feature].width}; }
    Buffer<Place>& places() const { return places_; }
    const float* values(int32_t feature) const { return codes_.columns[feature].values.data(); }
    Range range(int32_t feature) const { return ranges_[feature]; }

    // Finds the codes of all columns in a node, for `range`.
    void find_ranges(const Todo& node) {
        const size_t n_narrow = codes_.n_narrow;
        low_.assign(n_narrow, 255);
        high_.assign(n_narrow, 0);
        ranges_.assign(codes_.n_columns, {0xffffffffu, 0});
        places_.clear();
        wide_columns_.clear();
        for (int32_t c = 0; c < codes_.n_columns; ++c)
            if (codes_.columns[c].width > 1) wide_columns_.push_back(c);
        for (int32_t c : wide_columns_) places_.push_back(place(c));
        uint8_t* const low = low_.data();
        uint8_t* const high = high_.data();
        visit(node, [&](const uint8_t* row, const Stat&) {
            for (size_t c = 0; c < n_narrow; ++c) low[c] = std::min(low[c], row[c]);
            for (size_t c = 0; c < n_narrow; ++c) high[c] = std::max(high[c], row[c]);
            for (size_t k = 0; k < places_.size(); ++k) {
                const uint32_t found = read_wide(row + places_[k].offset, places_[k].width);
                Range& range = ranges_[wide_columns_[k]];
                range = {std::min(range.low, found), std::max(range.high, found)};
            }
        });
        for (int32_t c = 0; c < codes_.n_columns; ++c) {
            const Column& column = codes_.columns[c];
            if (column.width == 1) ranges_[c] = {low[column.offset], high[column.offset]};
        }
    }

    // Calls `take` with the codes and the statistic of each row of a node.
    template <class Take>
    void visit(const Todo& node, Take take) const {
        const int64_t last = static_cast<int64_t>(rows_.size()) - 1;
        for (int64_t i = node.start; i < node.end; ++i) {
            const int64_t ahead = rows_[std::min(i + kAhead, last)];
            const uint8_t* next = codes_.row(ahead);
            __builtin_prefetch(&stats_[ahead]);
            for (int64_t byte = 0; byte < codes_.stride; byte += 64) __builtin_prefetch(next + byte);
            take(codes_.row(rows_[i]), stats_[rows_[i]]);
        }
    }

    // The best split of each of the given features.
    void evaluate(const Todo& node, const Buffer<int32_t>& features, Best* best) {
        narrow_.clear();
        wide_.clear();
        size_t n_bins = 0;
        int64_t most = 0;
        for (int32_t k = 0; k < static_cast<int32_t>(features.size()); ++k) {
            const Column& column = codes_.columns[features[k]];
            const int64_t n_values = static_cast<int64_t>(column.values.size());
            if constexpr (has_parts(kCriterion)) {
                if (part_bins_.pay(node.n_rows(), n_values)) {
                    best[k] = find_by_part_bins(node, column);
                    continue;
                }
            }
            if (has_parts(kCriterion) || n_values > node.n_rows()) {
                best[k] = find_by_sorting(node, features[k]);
                continue;
            }
            (column.width == 1 ? narrow_ : wide_).push_back({column.offset, column.width, k, n_bins});
            n_bins += n_values;
            most = std::max(most, n_values);
        }
        if (bins_.size() < n_bins) bins_.assign(n_bins, Stat{});
        groups_.reserve(most + 1);
        fill_bins(node);
        for (const auto* uses : {&narrow_, &wide_})
            for (const Use& use : *uses) best[use.position] = scan_bins(node, features[use.position], use.bins);
    }

    double threshold(const Todo&, int32_t feature, const Best& best) const {
        const float* values = codes_.columns[feature].values.data();
        return values[best.low] / 2.0 + values[best.high] / 2.0;
    }

    // Position of the first row of the right child.
    int64_t divide(const Todo& node, const Split& split) {
        const Column& column = codes_.columns[split.feature];
        const uint32_t* const last = rows_.data() + rows_.size();
        return partition(rows_.data(), spare_.data(), node, [&](const uint32_t& row) {
            // Beyond the end of the node, the rows of its sibling, which is processed next, are prefetched.
            const uint32_t ahead = (&row)[&row + kAhead < last ? kAhead : 0];
            __builtin_prefetch(codes_.row(ahead) + column.offset);
            __builtin_prefetch(&stats_[ahead]);
            __builtin_prefetch(&target_[ahead]);
            return codes_.code(row, column) <= split.low;
        });
    }

    Totals sum_up(int64_t start, int64_t end, Buffer<double>& class_weights) const {
        return grower::sum_up<kCriterion>(rows_.data() + start, end - start, stats_.data(), target_, class_weights);
    }

private:
    struct Use {
        uint32_t offset, width;
        int32_t position;  // in the features drawn
        size_t bins;
    };

    void fill_bins(const Todo& node) {
        Stat* const bins = bins_.data();
        const size_t n_narrow = narrow_.size();
        offsets_.clear();
        bases_.clear();
        for (const Use& use : narrow_) {
            offsets_.push_back(use.offset);
            bases_.push_back(bins + use.bins);
        }
        const uint32_t* const offsets = offsets_.data();
        Stat* const* const bases = bases_.data();
        visit(node, [&](const uint8_t* row, const Stat& of_row) {
            const Stat stat = of_row;
            for (size_t k = 0; k < n_narrow; ++k) bases[k][row[offsets[k]]].add(stat);
            for (const Use& use : wide_) bins[use.bins + read_wide(row + use.offset, use.width)].add(stat);
        });
    }

    // Leaves the bins empty for the next node.
    Best scan_bins(const Todo& node, int32_t feature, size_t first) {
        const std::vector<float>& values = codes_.columns[feature].values;
        Stat* const bins = bins_.data() + first;
        const size_t n_bins = values.size();
        Prefix<Stat> prefix(groups_);
        for (size_t code = 0; code < n_bins; ++code) {
            if (bins[code].is_empty()) continue;
            prefix.append(bins[code], static_cast<uint32_t>(code));
            bins[code] = Stat{};
        }
        return boundaries_.find(groups_, node, feature, values.data());
    }

    Best find_by_part_bins(const Todo& node, const Column& column) {
        const uint32_t* const rows = rows_.data() + node.start;
        const int64_t last = node.n_rows() - 1;
        const auto code_at = [&](int64_t i) {
            const uint32_t ahead = rows[std::min(i + kAhead, last)];
            __builtin_prefetch(codes_.row(ahead) + column.offset);
            __builtin_prefetch(&stats_[ahead]);
            return codes_.code(rows[i], column);
        };
        const auto stat_at = [&](int64_t i) -> const Stat& { return stats_[rows[i]]; };
        return part_bins_.find(node, static_cast<int64_t>(column.values.size()), column.values.data(), code_at, stat_at);
    }

    Best find_by_sorting(const Todo& node, int32_t feature) {
        const Column& column = codes_.columns[feature];
        const int64_t n = node.n_rows();
        keys_.resize(n);
        for (int64_t i = 0; i < n; ++i) {
            const uint32_t row = rows_[node.start + i];
            keys_.set(i, codes_.code(row, column), row);
        }
        keys_.sort(static_cast<uint32_t>(column.values.size()));
        if constexpr (has_parts(kCriterion)) {
            return parts_.best_boundary(node, keys_, stats_.data(), column.values.data());
        } else {
            groups_.reserve(n + 1);
            Prefix<Stat> prefix(groups_);
            for (int64_t i = 0; i < n; ++i) {
                prefix.total.add(stats_[keys_.row(i)]);
                if (i + 1 == n || keys_.code(i) != keys_.code(i + 1)) prefix.put(keys_.code(i));
            }
            return boundaries_.find(groups_, node, feature, column.values.data());
        }
    }

    const Codes& codes_;
    const double* target_;
    const Boundaries<kCriterion>& boundaries_;
    Groups& groups_;
    Keys& keys_;
    Parts<kCriterion>& parts_;
    PartBins<kCriterion> part_bins_;

    Buffer<Stat> stats_, bins_;
    Buffer<uint32_t> rows_, spare_, offsets_;
    Buffer<Stat*> bases_;
    Buffer<Use> narrow_, wide_;
    Buffer<uint8_t> low_, high_;
    Buffer<Range> ranges_;
    Buffer<int32_t> wide_columns_;
    mutable Buffer<Place> places_;
};

}  // namespace grower

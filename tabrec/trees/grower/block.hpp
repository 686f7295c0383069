// Small nodes, whose rows are copied to contiguous memory with 16-bit codes; descendants use the same copy.
#pragma once

#include <algorithm>
#include <cstdint>

#include "boundaries.hpp"
#include "part_bins.hpp"
#include "codes.hpp"
#include "keys.hpp"
#include "nodes.hpp"

namespace grower {

// Largest number of rows of a block.
constexpr int64_t kBlock = 2048;
// Nodes with at most this many rows compare all pairs of rows instead of sorting. It is the same for all instruction
// sets, because the order of sums affects rounding.
constexpr int64_t kTiny = 16;

template <class Stat, int kCriterion>
class Block {
public:
    Block(const Codes& codes, const Settings& settings, int64_t n_rows, const Boundaries<kCriterion>& boundaries,
          Groups& groups, Keys& keys, Parts<kCriterion>& parts)
        : codes_(codes), set_(settings), boundaries_(boundaries), groups_(groups), keys_(keys), parts_(parts),
          part_bins_(settings, parts),
          most_rows_(std::min(kBlock, n_rows)) {
        int32_t n_wide = 0;
        for (const Column& column : codes.columns)
            position_.push_back(column.width == 1 ? column.offset : codes.n_narrow + n_wide++);
        stride_ = (codes.n_columns + 2 * kShorts - 1) / (2 * kShorts) * (2 * kShorts);
    }

    const uint16_t* ids() const { return ids_.data(); }
    const Stat* stats() const { return stats_.data(); }

    // Copies a node; its columns in `constants` are skipped.
    void enter(Todo& node, const uint32_t* rows, const Stat* stats, const double* target,
               const Buffer<int32_t>& constants) {
        const int64_t n = node.n_rows();
        rows += node.start;
        if (ids_.empty()) prepare();
        for (int64_t i = 0; i < n; ++i) {
            const uint8_t* from = codes_.row(rows[i]);
            uint16_t* to = codes_of_block_.data() + i * stride_;
            for (int32_t c = 0; c < codes_.n_narrow; ++c) to[c] = from[c];
            ids_[i] = static_cast<uint16_t>(i);
            stats_[i] = stats[rows[i]];
            target_[i] = target[rows[i]];
        }
        is_known_.assign(codes_.n_columns, 0);
        for (int64_t k = 0; k < node.n_constants; ++k) is_known_[constants[k]] = 1;
        for (int32_t c = 0; c < codes_.n_columns; ++c)
            if (codes_.columns[c].width > 1 && !is_known_[c]) rank_again(rows, n, c);
        node.start = 0;
        node.end = n;
        node.in_block = true;
    }

    // Marks the columns in which two rows of the node differ, for `is_constant`.
    void find_differences(const Todo& node) {
        const auto at = [this](int64_t i, int64_t column) { return load_shorts(row(i) + column); };
        for (int64_t c = 0; c < stride_; c += 2 * kShorts) {
            const Shorts first = at(node.start, c), second = at(node.start, c + kShorts);
            Shorts differs{}, also_differs{};
            for (int64_t i = node.start + 1; i < node.end; ++i) {
                differs |= at(i, c) ^ first;
                also_differs |= at(i, c + kShorts) ^ second;
            }
            *reinterpret_cast<Shorts*>(differs_.data() + c) = differs;
            *reinterpret_cast<Shorts*>(differs_.data() + c + kShorts) = also_differs;
        }
    }

    bool is_constant(const Todo& node, int32_t feature) const {
        const int32_t at = position_[feature];
        if (!codes_.columns[feature].has_close_values) return differs_[at] == 0;
        uint16_t low = 65535, high = 0;
        for (int64_t i = node.start; i < node.end; ++i) {
            low = std::min(low, row(i)[at]);
            high = std::max(high, row(i)[at]);
        }
        return are_one_value(values_[at][low], values_[at][high]);
    }

    typedef int32_t Place;  // of a column in the row of a block

    static uint32_t code(const uint16_t* row, Place place) { return row[place]; }
    Place place(int32_t feature) const { return position_[feature]; }
    Buffer<Place>& places() const { return places_; }
    const float* values(int32_t feature) const { return values_[position_[feature]]; }
    Range range(int32_t feature) const { return {low_[position_[feature]], high_[position_[feature]]}; }

    // Finds the codes of all columns in a node, for `range`.
    void find_ranges(const Todo& node) {
        for (int64_t c = 0; c < stride_; c += kShorts) {
            Shorts low = load_shorts(row(node.start) + c), high = low;
            for (int64_t i = node.start + 1; i < node.end; ++i) {
                const Shorts codes = load_shorts(row(i) + c);
                low = codes < low ? codes : low;
                high = codes > high ? codes : high;
            }
            *reinterpret_cast<Shorts*>(low_.data() + c) = low;
            *reinterpret_cast<Shorts*>(high_.data() + c) = high;
        }
    }

    // Calls `take` with the codes and the statistic of each row of a node.
    template <class Take>
    void visit(const Todo& node, Take take) const {
        for (int64_t i = node.start; i < node.end; ++i) take(row(i), stats_[ids_[i]]);
    }

    // The best split of each of the given features.
    void evaluate(const Todo& node, const Buffer<int32_t>& features, Best* best) {
        if constexpr (has_parts(kCriterion)) {
            for (size_t k = 0; k < features.size(); ++k) {
                const int32_t at = position_[features[k]];
                best[k] = !part_bins_.pay(node.n_rows(), n_values_[at])
                              ? find_by_sorting(node, features[k])
                              : part_bins_.find(
                                    node, n_values_[at], values_[at],
                                    [&](int64_t i) { return row(node.start + i)[at]; },
                                    [&](int64_t i) -> const Stat& { return stats_[ids_[node.start + i]]; });
            }
        } else {
            const int64_t n = node.n_rows();
            pairs_.clear();
            uses_.clear();
            size_t n_bins = 0;
            for (int32_t k = 0; k < static_cast<int32_t>(features.size()); ++k) {
                const int32_t at = position_[features[k]];
                if (n <= kTiny && !boundaries_.is_one_by_one(features[k])) {
                    pairs_.push_back({at, 0, k, 0});
                } else {
                    uses_.push_back({at, n_values_[at], k, n_bins});
                    n_bins += n_values_[at];
                }
            }
            if (!pairs_.empty()) compare_all_pairs(node, best);
            if (uses_.empty()) return;
            if (bins_.size() < n_bins) bins_.assign(n_bins, Stat{});
            fill_bins(node);
            for (const Use& use : uses_) {
                collect_groups(node, use);
                best[use.position] = boundaries_.find(groups_, node, features[use.position], values_[use.column]);
            }
        }
    }

    double threshold(const Todo& node, int32_t feature, const Best& best) const {
        const int32_t at = position_[feature];
        const uint32_t high = best.high == kUnknown ? next_code(node, at, best.low) : best.high;
        return values_[at][best.low] / 2.0 + values_[at][high] / 2.0;
    }

    // Position of the first row of the right child.
    int64_t divide(const Todo& node, const Split& split) {
        const uint16_t* column = codes_of_block_.data() + position_[split.feature];
        return partition(ids_.data(), spare_ids_.data(), node,
                         [&](uint16_t id) { return column[id * stride_] <= split.low; });
    }

    Totals sum_up(int64_t start, int64_t end, Buffer<double>& class_weights) const {
        return grower::sum_up<kCriterion>(ids_.data() + start, end - start, stats_.data(), target_.data(),
                                          class_weights);
    }

private:
    struct Use {
        int32_t column;
        uint32_t n_bins;
        int32_t position;  // in the features drawn
        size_t bins;
    };

    const uint16_t* row(int64_t i) const { return codes_of_block_.data() + ids_[i] * stride_; }

    void prepare() {
        const size_t most = most_rows_;
        ids_.resize(most);
        spare_ids_.resize(most);
        stats_.resize(most);
        target_.resize(most);
        codes_of_block_.assign(most * stride_, 0);
        local_codes_.resize(most);
        for (auto* codes : {&differs_, &low_, &high_}) codes->resize(stride_);
        n_values_.resize(codes_.n_columns);
        own_values_.resize(static_cast<size_t>(codes_.n_columns - codes_.n_narrow) * most);
        values_.resize(codes_.n_columns);
        float* own = own_values_.data();
        size_t largest = most;
        for (int32_t c = 0; c < codes_.n_columns; ++c) {
            const Column& column = codes_.columns[c];
            const int32_t at = position_[c];
            n_values_[at] = static_cast<uint32_t>(column.values.size());
            values_[at] = column.width == 1 ? column.values.data() : own;
            if (column.width > 1) own += most;
            if (column.width == 1) largest = std::max(largest, column.values.size());
        }
        groups_.reserve(largest + 1);
    }

    // Renumbers the codes of a wide column that occur in the block; codes of narrow columns are unchanged.
    void rank_again(const uint32_t* rows, int64_t n, int32_t feature) {
        const Column& column = codes_.columns[feature];
        const int32_t at = position_[feature];
        float* values = own_values_.data() + (at - codes_.n_narrow) * most_rows_;
        uint16_t* to = codes_of_block_.data() + at;
        const size_t n_words = (column.values.size() + 63) / 64;
        n_values_[at] = n_words > static_cast<size_t>(4 * n + 4) ? rank_by_sorting(column, rows, n, values, to)
                                                                  : rank_by_bits(column, rows, n, values, to);
    }

    uint32_t rank_by_sorting(const Column& column, const uint32_t* rows, int64_t n, float* values, uint16_t* to) {
        uint32_t n_values = 0;
        keys_.resize(n);
        for (int64_t i = 0; i < n; ++i) keys_.set(i, codes_.code(rows[i], column), static_cast<uint32_t>(i));
        keys_.sort(static_cast<uint32_t>(column.values.size()));
        for (int64_t i = 0; i < n; ++i) {
            if (i == 0 || keys_.code(i) != keys_.code(i - 1)) values[n_values++] = column.values[keys_.code(i)];
            to[keys_.row(i) * stride_] = static_cast<uint16_t>(n_values - 1);
        }
        return n_values;
    }

    // A bit for each code that occurs; its rank is the number of bits below.
    uint32_t rank_by_bits(const Column& column, const uint32_t* rows, int64_t n, float* values, uint16_t* to) {
        const size_t n_words = (column.values.size() + 63) / 64;
        uint32_t n_values = 0;
        words_.assign(n_words, 0);
        before_.resize(n_words);
        for (int64_t i = 0; i < n; ++i) {
            const uint32_t code = codes_.code(rows[i], column);
            local_codes_[i] = code;
            words_[code >> 6] |= uint64_t{1} << (code & 63);
        }
        for (size_t w = 0; w < n_words; ++w) {
            before_[w] = n_values;
            for (uint64_t bits = words_[w]; bits; bits &= bits - 1)
                values[n_values++] = column.values[w * 64 + __builtin_ctzll(bits)];
        }
        for (int64_t i = 0; i < n; ++i) {
            const uint32_t code = local_codes_[i];
            const uint64_t below = words_[code >> 6] & ((uint64_t{1} << (code & 63)) - 1);
            to[i * stride_] = static_cast<uint16_t>(before_[code >> 6] + __builtin_popcountll(below));
        }
        return n_values;
    }

    void fill_bins(const Todo& node) {
        columns_.clear();
        bases_.clear();
        for (const Use& use : uses_) {
            columns_.push_back(use.column);
            bases_.push_back(bins_.data() + use.bins);
        }
        const int32_t* const columns = columns_.data();
        Stat* const* const bases = bases_.data();
        const size_t n_uses = uses_.size();
        for (int64_t i = node.start; i < node.end; ++i) {
            const Stat stat = stats_[ids_[i]];
            const uint16_t* const codes = row(i);
            for (size_t k = 0; k < n_uses; ++k) bases[k][codes[columns[k]]].add(stat);
        }
    }

    // Leaves the bins empty for the next node.
    void collect_groups(const Todo& node, const Use& use) {
        Stat* const bins = bins_.data() + use.bins;
        Prefix<Stat> prefix(groups_);
        const auto collect = [&](uint32_t code) {
            prefix.append(bins[code], code);
            bins[code] = Stat{};
        };
        if (use.n_bins <= 2 * node.n_rows()) {
            for (uint32_t code = 0; code < use.n_bins; ++code)
                if (!bins[code].is_empty()) collect(code);
            return;
        }
        // A bit for each bin that holds rows, so that empty bins are skipped.
        uint64_t marks[kBlock / 64] = {0};
        for (int64_t i = node.start; i < node.end; ++i) {
            const uint32_t code = row(i)[use.column];
            marks[code >> 6] |= uint64_t{1} << (code & 63);
        }
        for (uint32_t w = 0; w * 64 < use.n_bins; ++w)
            for (uint64_t bits = marks[w]; bits; bits &= bits - 1) collect(w * 64 + __builtin_ctzll(bits));
    }

    // The rows left of a split at a row's code are those with codes up to it; lanes hold several columns.
    void compare_all_pairs(const Todo& node, Best* results) {
        const int64_t n = node.n_rows();
        const size_t n_columns = pairs_.size();
        const size_t padded = (n_columns + kLanes - 1) / kLanes * kLanes;
        pair_codes_.resize(kTiny * (codes_.n_columns + kLanes));
        Stat stats[kTiny];
        for (int64_t i = 0; i < n; ++i) {
            const uint16_t* const codes = row(node.start + i);
            double* to = pair_codes_.data() + i * padded;
            for (size_t k = 0; k < n_columns; ++k) to[k] = codes[pairs_[k].column];
            stats[i] = stats_[ids_[node.start + i]];
        }
        const Doubles sum = all(node.totals.sum), weight = all(node.totals.weight), count = all(static_cast<double>(n));
        const Doubles least = all(static_cast<double>(set_.min_samples_leaf)), least_weight = all(set_.min_weight_leaf);
        for (size_t first = 0; first < n_columns; first += kLanes) {
            const double* codes = pair_codes_.data() + first;
            Doubles best = all(-kInfinity), best_code = all(0.0);
            for (int64_t j = 0; j < n; ++j) {
                const Doubles code = load(codes + j * padded);
                typename Stat::Lanes left{};
                for (int64_t i = 0; i < n; ++i) left.add_where(load(codes + i * padded) <= code, stats[i]);
                const Doubles left_sum = left.sum, left_count = left.count(), left_weight = left.weight();
                const Doubles gain =
                    proxy<kCriterion == kEntropy ? kGini : kCriterion>(left_sum, left_weight, sum, weight);
                const auto better = ((gain > best) | ((gain == best) & (code < best_code))) & (left_count >= least) &
                                    (count - left_count >= least) & (left_weight >= least_weight) &
                                    (weight - left_weight >= least_weight);
                best = better ? gain : best;
                best_code = better ? code : best_code;
            }
            for (size_t lane = 0; lane < kLanes && first + lane < n_columns; ++lane)
                results[pairs_[first + lane].position] = {best[lane], static_cast<uint32_t>(best_code[lane]), kUnknown};
        }
    }

    uint32_t next_code(const Todo& node, int32_t at, uint32_t low) const {
        uint32_t next = kUnknown;
        for (int64_t i = node.start; i < node.end; ++i)
            if (row(i)[at] > low) next = std::min<uint32_t>(next, row(i)[at]);
        return next;
    }

    Best find_by_sorting(const Todo& node, int32_t feature) {
        const int32_t at = position_[feature];
        keys_.resize(node.n_rows());
        for (int64_t i = node.start; i < node.end; ++i) keys_.set(i - node.start, row(i)[at], ids_[i]);
        keys_.sort(n_values_[at]);
        return parts_.best_boundary(node, keys_, stats_.data(), values_[at]);
    }

    const Codes& codes_;
    const Settings& set_;
    const Boundaries<kCriterion>& boundaries_;
    Groups& groups_;
    Keys& keys_;
    Parts<kCriterion>& parts_;
    PartBins<kCriterion> part_bins_;

    const int64_t most_rows_;
    int64_t stride_;  // codes of a row
    Buffer<int32_t> position_;  // of each feature in a row
    Buffer<uint16_t> codes_of_block_, ids_, spare_ids_, differs_, low_, high_;
    Buffer<Stat> stats_, bins_;
    Buffer<double> target_, pair_codes_;
    Buffer<const float*> values_;  // by position, then by code
    Buffer<float> own_values_;
    Buffer<uint32_t> n_values_, local_codes_, before_;
    Buffer<uint64_t> words_;
    Buffer<uint8_t> is_known_;
    Buffer<Use> pairs_, uses_;
    Buffer<int32_t> columns_;
    mutable Buffer<Place> places_;
    Buffer<Stat*> bases_;
};

}  // namespace grower

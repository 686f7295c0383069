// One tree, depth first: the same features are drawn, and the same split is the best, as in scikit-learn's builder.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "codes.hpp"
#include "criteria.hpp"
#include "lanes.hpp"

namespace grower {

struct Settings {
    int32_t criterion;
    int32_t n_classes;
    int64_t max_features;
    int64_t min_samples_split;
    int64_t min_samples_leaf;
    int64_t max_depth;
    double min_weight_leaf;
    double min_impurity_decrease;
    double total_weight;
    const int8_t* monotonic;  // of each column, or null
    const volatile int32_t* stop;
    uint32_t seed;
    int32_t is_packed;  // whole weights of a sum below 2**25
};

struct Nodes {
    std::vector<int64_t> left, right, feature, n_rows;
    std::vector<double> threshold, impurity, weight, value;
    std::vector<uint8_t> missing_left;
    int64_t max_depth = 0;
};

// Sum, weight and number of the rows of a bin. Packed, whole weights share a double with the number of rows.
struct Packed {
    typedef double Pair __attribute__((vector_size(16), aligned(8), may_alias));
    double sum, both;
    static constexpr double kCount = 67108864.0;  // 2**26

    static Packed of(double sum, double weight) { return {sum, weight + kCount}; }
    void add(const Packed& other) { *reinterpret_cast<Pair*>(this) += *reinterpret_cast<const Pair*>(&other); }
    double count() const { return (both * (1 / kCount) + 6755399441055744.0) - 6755399441055744.0; }
    double weight() const { return both - count() * kCount; }
    bool is_empty() const { return both == 0.0; }

    // The same for several columns at once.
    struct Lanes {
        Doubles sum, both;
        template <class Mask>
        void add_where(Mask mask, const Packed& stat) {
            sum += mask ? all(stat.sum) : Doubles{};
            both += mask ? all(stat.both) : Doubles{};
        }
        Doubles count() const { return (both * (1 / kCount) + 6755399441055744.0) - 6755399441055744.0; }
        Doubles weight() const { return both - count() * kCount; }
    };
};

struct Loose {
    double sum, total, rows, unused;

    static Loose of(double sum, double weight) { return {sum, weight, 1.0, 0.0}; }
    void add(const Loose& other) {
        sum += other.sum;
        total += other.total;
        rows += other.rows;
    }
    double count() const { return rows; }
    double weight() const { return total; }
    bool is_empty() const { return rows == 0.0; }

    struct Lanes {
        Doubles sum, total, rows;
        template <class Mask>
        void add_where(Mask mask, const Loose& stat) {
            sum += mask ? all(stat.sum) : Doubles{};
            total += mask ? all(stat.total) : Doubles{};
            rows += mask ? all(1.0) : Doubles{};
        }
        Doubles count() const { return rows; }
        Doubles weight() const { return total; }
    };
};

// Nodes of up to this many rows are copied, with codes that are dense again.
constexpr int64_t kBlock = 2048;
// Nodes of up to this many rows compare every row with every other one, which needs no sorting. The same for every
// instruction set, as sums of another order may be rounded differently.
constexpr int64_t kTiny = 16;
// Rows ahead of the current one that are fetched into the cache.
constexpr int64_t kAhead = 12;

template <class Stat, int kCriterion>
class Builder {
public:
    Builder(const Codes& codes, const Settings& settings, const double* target, const double* weights, Nodes& nodes)
        : codes_(codes), set_(settings), target_(target), nodes_(nodes), n_columns_(codes.n_columns),
          state_(settings.seed) {
        n_values_ = kCriterion == kSquaredError ? 1 : kCriterion == kClasses ? set_.n_classes : 2;
        stats_.resize(codes.n_rows);
        rows_.reserve(codes.n_rows);
        for (int64_t i = 0; i < codes.n_rows; ++i) {
            const double weight = weights == nullptr ? 1.0 : weights[i];
            if (weight == 0.0) continue;
            stats_[i] = Stat::of(kCriterion == kClasses ? target[i] : weight * target[i], weight);
            rows_.push_back(static_cast<uint32_t>(i));
        }
        spare_.resize(rows_.size());
        features_.resize(n_columns_);
        for (int32_t c = 0; c < n_columns_; ++c) features_[c] = c;
        constants_.resize(n_columns_);
        drawn_.reserve(n_columns_);
        results_.resize(n_columns_);
        int32_t n_wide = 0;
        for (const Column& column : codes.columns)
            column_of_.push_back(column.width == 1 ? column.offset : codes.n_narrow + n_wide++);
        block_stride_ = (n_columns_ + 31) / 32 * 32;
        scalar_.resize(n_columns_);
        for (int32_t c = 0; c < n_columns_; ++c)
            scalar_[c] = codes.columns[c].has_close_values || (set_.monotonic && set_.monotonic[c]) ||
                         kCriterion == kEntropy;
        class_left_.resize(n_values_);
        class_total_.resize(n_values_);
    }

    // False if it was stopped.
    bool build() {
        std::vector<Todo> stack;
        Todo root;
        root.end = static_cast<int64_t>(rows_.size());
        root.totals = sum_up(rows_.data(), root.end, stats_.data(), target_, class_total_.data());
        root.impurity = impurity_of(root.totals, class_total_.data());
        stack.push_back(root);
        while (!stack.empty()) {
            if (*set_.stop) return false;
            Todo node = stack.back();
            stack.pop_back();
            visit(node, stack);
        }
        return true;
    }

private:
    struct Todo {
        int64_t start = 0, end = 0, depth = 0, parent = -1, n_constants = 0;
        double impurity = 0, lower = -kInfinity, upper = kInfinity;
        Totals totals;
        bool is_left = false, in_block = false;
    };

    // The best split of a column: rows of codes up to `low` go left, and `high` is the next code of the node.
    struct Result {
        double gain = -kInfinity;
        uint32_t low = 0, high = 0;
    };

    void visit(Todo& node, std::vector<Todo>& stack) {
        const int64_t n_rows = node.end - node.start;
        bool is_leaf = node.depth >= set_.max_depth || n_rows < set_.min_samples_split ||
                       n_rows < 2 * set_.min_samples_leaf || node.totals.weight < 2 * set_.min_weight_leaf ||
                       node.impurity <= DBL_EPSILON;
        if (!is_leaf && !node.in_block && n_rows <= kBlock) enter_block(node);
        if constexpr (kCriterion == kClasses) count_classes(node);
        Split split;
        Todo left, right;
        if (!is_leaf) {
            int64_t n_constants = node.n_constants;
            is_leaf = !find_split(node, n_constants, split);
            if (!is_leaf) {
                divide(node, split, left, right);
                left.n_constants = right.n_constants = n_constants;
                const double improvement =
                    node.totals.weight / set_.total_weight *
                    (node.impurity - right.totals.weight / node.totals.weight * right.impurity -
                     left.totals.weight / node.totals.weight * left.impurity);
                is_leaf = improvement + DBL_EPSILON < set_.min_impurity_decrease;
            }
        }
        const int64_t id = append(node, is_leaf, split, left, right);
        if (is_leaf) return;
        bound_children(node, split, left, right);
        right.parent = left.parent = id;
        left.is_left = true;
        stack.push_back(right);
        stack.push_back(left);
    }

    struct Split {
        int32_t feature = -2;
        uint32_t low = 0, high = 0;
        double threshold = -2.0;
    };

    int64_t append(const Todo& node, bool is_leaf, const Split& split, const Todo& left, const Todo& right) {
        const int64_t id = static_cast<int64_t>(nodes_.left.size());
        if (node.parent >= 0) (node.is_left ? nodes_.left : nodes_.right)[node.parent] = id;
        nodes_.left.push_back(-1);
        nodes_.right.push_back(-1);
        nodes_.feature.push_back(is_leaf ? -2 : split.feature);
        nodes_.threshold.push_back(is_leaf ? -2.0 : split.threshold);
        nodes_.impurity.push_back(node.impurity);
        nodes_.n_rows.push_back(node.end - node.start);
        nodes_.weight.push_back(node.totals.weight);
        nodes_.missing_left.push_back(!is_leaf && left.end - left.start > right.end - right.start);
        nodes_.max_depth = std::max(nodes_.max_depth, node.depth);
        const double weight = node.totals.weight;
        if constexpr (kCriterion == kClasses) {
            for (int32_t k = 0; k < n_values_; ++k) nodes_.value.push_back(node_classes_[k] / weight);
        } else if constexpr (kCriterion == kSquaredError) {
            nodes_.value.push_back(clipped(node.totals.sum / weight, node));
        } else {
            const double first = clipped((weight - node.totals.sum) / weight, node);
            const bool is_free = set_.monotonic == nullptr;
            nodes_.value.push_back(first);
            nodes_.value.push_back(is_free ? node.totals.sum / weight : 1 - first);
        }
        return id;
    }

    double clipped(double value, const Todo& node) const {
        return set_.monotonic == nullptr ? value : value < node.lower ? node.lower : value > node.upper ? node.upper : value;
    }

    // Constraints bound the values below a split; of two classes, the value is the share of the first.
    void bound_children(const Todo& node, const Split& split, Todo& left, Todo& right) const {
        left.lower = right.lower = node.lower;
        left.upper = right.upper = node.upper;
        const int sign = set_.monotonic == nullptr ? 0 : set_.monotonic[split.feature];
        if (sign == 0) return;
        const double middle = bounded_value(left.totals.sum, left.totals.weight) / 2.0 +
                              bounded_value(right.totals.sum, right.totals.weight) / 2.0;
        (sign > 0 ? left.upper : left.lower) = middle;
        (sign > 0 ? right.lower : right.upper) = middle;
    }

    static double bounded_value(double sum, double weight) {
        return (kCriterion == kSquaredError ? sum : weight - sum) / weight;
    }

    // --- Drawing columns ---------------------------------------------------------------------------------------------

    int64_t random(int64_t low, int64_t high) {
        if (state_ == 0) state_ = 1;
        state_ ^= state_ << 13;
        state_ ^= state_ >> 17;
        state_ ^= state_ << 5;
        return low + static_cast<int64_t>((state_ & 0x7fffffffu) % static_cast<uint32_t>(high - low));
    }

    // Constant columns count towards `max_features`, as in scikit-learn, and are not looked at again below.
    void draw_features(const Todo& node, int64_t& n_constants) {
        drawn_.clear();
        int64_t not_drawn = n_columns_, n_visited = 0, n_found = 0, n_drawn_constants = 0;
        const int64_t n_known = n_constants;
        while (not_drawn > n_constants &&
               (n_visited < set_.max_features || n_visited <= n_found + n_drawn_constants)) {
            ++n_visited;
            int64_t at = random(n_drawn_constants, not_drawn - n_found);
            if (at < n_known) {
                std::swap(features_[n_drawn_constants], features_[at]);
                ++n_drawn_constants;
                continue;
            }
            at += n_found;
            const int32_t feature = features_[at];
            if (is_constant(node, feature)) {
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
    }

    bool is_constant(const Todo& node, int32_t feature) const {
        const Column& column = codes_.columns[feature];
        if (node.in_block) {
            const int32_t at = column_of_[feature];
            if (!column.has_close_values) return differs_[at] == 0;
            uint16_t low = 65535, high = 0;
            for (int64_t i = node.start; i < node.end; ++i) {
                const uint16_t code = block_codes_[block_ids_[i] * block_stride_ + at];
                low = std::min(low, code);
                high = std::max(high, code);
            }
            return are_one_value(block_values_[at][low], block_values_[at][high]);
        }
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

    // --- Splitting ---------------------------------------------------------------------------------------------------

    bool find_split(const Todo& node, int64_t& n_constants, Split& split) {
        if (node.in_block) find_differences(node);
        draw_features(node, n_constants);
        for (size_t k = 0; k < drawn_.size(); ++k) results_[k] = Result{};
        if constexpr (kCriterion == kClasses)
            evaluate_classes(node);
        else if (node.in_block)
            evaluate_block(node);
        else
            evaluate_large(node);
        double best = -kInfinity;
        size_t winner = 0;
        for (size_t k = 0; k < drawn_.size(); ++k)
            if (results_[k].gain > best) {
                best = results_[k].gain;
                winner = k;
            }
        if (best == -kInfinity) return false;
        split.feature = drawn_[winner];
        split.low = results_[winner].low;
        split.high = results_[winner].high;
        const float* values = codes_.columns[split.feature].values.data();
        if (node.in_block) {
            const int32_t at = column_of_[split.feature];
            if (split.high == kUnknown) split.high = next_code(node, at, split.low);
            values = block_values_[at];
        }
        split.threshold = values[split.low] / 2.0 + values[split.high] / 2.0;
        return true;
    }

    static constexpr uint32_t kUnknown = 0xffffffffu;

    uint32_t next_code(const Todo& node, int32_t at, uint32_t low) const {
        uint32_t next = kUnknown;
        for (int64_t i = node.start; i < node.end; ++i) {
            const uint32_t code = block_codes_[block_ids_[i] * block_stride_ + at];
            if (code > low) next = std::min(next, code);
        }
        return next;
    }

    void divide(const Todo& node, const Split& split, Todo& left, Todo& right) {
        int64_t middle;
        if (node.in_block) {
            const int32_t at = column_of_[split.feature];
            middle = partition(block_ids_.data(), spare_ids_.data(), node,
                               [&](uint16_t id) { return block_codes_[id * block_stride_ + at] <= split.low; });
            left.totals = sum_up(block_ids_.data() + node.start, middle - node.start, block_stats_.data(),
                                 block_target_.data(), class_left_.data());
            left.impurity = impurity_of(left.totals, class_left_.data());
            right.totals = sum_up(block_ids_.data() + middle, node.end - middle, block_stats_.data(),
                                  block_target_.data(), class_left_.data());
        } else {
            const Column& column = codes_.columns[split.feature];
            middle = partition(rows_.data(), spare_.data(), node, [&](const uint32_t& row) {
                // Past the end of the node, the rows of its sibling are fetched, which come next.
                const uint32_t ahead = (&row)[&row + kAhead < rows_.data() + rows_.size() ? kAhead : 0];
                __builtin_prefetch(codes_.row(ahead) + column.offset);
                __builtin_prefetch(&stats_[ahead]);
                __builtin_prefetch(&target_[ahead]);
                return codes_.code(row, column) <= split.low;
            });
            left.totals = sum_up(rows_.data() + node.start, middle - node.start, stats_.data(), target_,
                                 class_left_.data());
            left.impurity = impurity_of(left.totals, class_left_.data());
            right.totals = sum_up(rows_.data() + middle, node.end - middle, stats_.data(), target_, class_left_.data());
        }
        right.impurity = impurity_of(right.totals, class_left_.data());
        left.start = node.start;
        left.end = right.start = middle;
        right.end = node.end;
        left.depth = right.depth = node.depth + 1;
        left.in_block = right.in_block = node.in_block;
    }

    template <class Id, class GoesLeft>
    static int64_t partition(Id* ids, Id* spare, const Todo& node, GoesLeft goes_left) {
        int64_t n_left = node.start, n_right = 0;
        for (int64_t i = node.start; i < node.end; ++i) {
            const Id id = ids[i];
            const bool left = goes_left(ids[i]);
            ids[n_left] = id;
            spare[n_right] = id;
            n_left += left;
            n_right += !left;
        }
        std::copy_n(spare, n_right, ids + n_left);
        return n_left;
    }

    template <class Id>
    Totals sum_up(const Id* ids, int64_t n, const Stat* stats, const double* target, double* classes) const {
        Totals totals;
        totals.count = n;
        if constexpr (kCriterion == kClasses) std::fill_n(classes, n_values_, 0.0);
        for (int64_t i = 0; i < n; ++i) {
            const Stat& stat = stats[ids[i]];
            const double y = target[ids[i]];
            const double weight = stat.weight();
            totals.weight += weight;
            totals.lowest = std::min(totals.lowest, y);
            totals.highest = std::max(totals.highest, y);
            if constexpr (kCriterion == kClasses) {
                classes[static_cast<int32_t>(y)] += weight;
            } else {
                totals.sum += stat.sum;
                if constexpr (kCriterion == kSquaredError) totals.squares += stat.sum * y;
            }
        }
        return totals;
    }

    double impurity_of(const Totals& totals, const double* classes) const {
        if constexpr (kCriterion == kClasses)
            return impurity_of_classes(classes, n_values_, totals.weight, set_.criterion == kEntropy);
        else
            return impurity<kCriterion>(totals);
    }

    // --- The best boundary of sorted groups of rows ------------------------------------------------------------------

    struct Groups {
        std::vector<double> sum, weight, count;  // of each group and those before it
        std::vector<uint32_t> code;
        int64_t n = 0;

        void reserve(int64_t most) {
            if (static_cast<int64_t>(code.size()) >= most) return;
            for (auto* values : {&sum, &weight, &count}) values->resize(most + kLanes);
            code.resize(most);
        }
    };

    // Adds up the bins of the groups in ascending order.
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

    Result best_boundary(const Todo& node, int32_t feature, const float* values) const {
        if (scalar_[feature]) return best_boundary_one_by_one(node, feature, values);
        const int64_t n = groups_.n - 1;
        Result result;
        const Doubles sum = all(node.totals.sum), weight = all(node.totals.weight);
        const double n_rows = static_cast<double>(node.end - node.start);
        const Doubles count = all(n_rows), least = all(static_cast<double>(set_.min_samples_leaf));
        const Doubles least_weight = all(set_.min_weight_leaf);
        Doubles best = all(-kInfinity), best_at = all(0.0), at;
        for (int lane = 0; lane < kLanes; ++lane) at[lane] = lane;
        for (int64_t g = 0; g < n; g += kLanes) {
            const Doubles left_sum = load(&groups_.sum[g]), left_weight = load(&groups_.weight[g]);
            const Doubles left_count = load(&groups_.count[g]);
            const Doubles gain = proxy<kCriterion == kEntropy ? kGini : kCriterion>(left_sum, left_weight, sum, weight);
            const auto better = (gain > best) & (left_count >= least) & (count - left_count >= least) &
                                (left_weight >= least_weight) & (weight - left_weight >= least_weight) &
                                (at < all(static_cast<double>(n)));
            best = better ? gain : best;
            best_at = better ? at : best_at;
            at += all(kLanes);
        }
        int64_t winner = -1;
        for (int lane = 0; lane < kLanes; ++lane)
            if (best[lane] > result.gain || (best[lane] == result.gain && winner >= 0 && best_at[lane] < winner)) {
                result.gain = best[lane];
                winner = static_cast<int64_t>(best_at[lane]);
            }
        if (winner < 0) return Result{};
        result.low = groups_.code[winner];
        result.high = groups_.code[winner + 1];
        return result;
    }

    Result best_boundary_one_by_one(const Todo& node, int32_t feature, const float* values) const {
        Result result;
        const double sum = node.totals.sum, weight = node.totals.weight;
        const double n_rows = static_cast<double>(node.end - node.start);
        const int sign = set_.monotonic == nullptr ? 0 : set_.monotonic[feature];
        for (int64_t g = 0; g + 1 < groups_.n; ++g) {
            const double left_sum = groups_.sum[g], left_weight = groups_.weight[g], count = groups_.count[g];
            if (count < set_.min_samples_leaf || n_rows - count < set_.min_samples_leaf) continue;
            if (are_one_value(values[groups_.code[g]], values[groups_.code[g + 1]])) continue;
            if (sign != 0) {
                const double left = bounded_value(left_sum, left_weight);
                const double right = bounded_value(sum - left_sum, weight - left_weight);
                if (left < node.lower || right < node.lower || left > node.upper || right > node.upper ||
                    (left - right) * sign > 0)
                    continue;
            }
            if (left_weight < set_.min_weight_leaf || weight - left_weight < set_.min_weight_leaf) continue;
            const double gain = kCriterion == kEntropy
                                    ? entropy_proxy(left_sum, left_weight, sum, weight)
                                    : proxy<kCriterion == kEntropy ? kGini : kCriterion>(left_sum, left_weight, sum,
                                                                                         weight);
            if (gain > result.gain) result = {gain, groups_.code[g], groups_.code[g + 1]};
        }
        return result;
    }

    // --- Large nodes -------------------------------------------------------------------------------------------------

    void evaluate_large(const Todo& node) {
        const int64_t n = node.end - node.start;
        narrow_.clear();
        wide_.clear();
        size_t n_bins = 0;
        int64_t most = 0;
        for (int32_t k = 0; k < static_cast<int32_t>(drawn_.size()); ++k) {
            const Column& column = codes_.columns[drawn_[k]];
            const int64_t n_values = static_cast<int64_t>(column.values.size());
            if (n_values > n) {
                find_by_sorting(node, k);
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
            for (const Use& use : *uses) {
                const int32_t feature = drawn_[use.position];
                const std::vector<float>& values = codes_.columns[feature].values;
                results_[use.position] = scan_bins(node, feature, bins_.data() + use.bins, values.size(), values.data());
            }
    }

    struct Use {
        uint32_t offset, width;
        int32_t position;
        size_t bins;
    };

    void fill_bins(const Todo& node) {
        Stat* const bins = bins_.data();
        const int64_t last = static_cast<int64_t>(rows_.size()) - 1;
        const size_t n_narrow = narrow_.size();
        offsets_.clear();
        bases_.clear();
        for (const Use& use : narrow_) {
            offsets_.push_back(use.offset);
            bases_.push_back(bins + use.bins);
        }
        const uint32_t* const offsets = offsets_.data();
        Stat* const* const bases = bases_.data();
        for (int64_t i = node.start; i < node.end; ++i) {
            const int64_t ahead = rows_[std::min(i + kAhead, last)];
            const uint8_t* next = codes_.row(ahead);
            __builtin_prefetch(&stats_[ahead]);
            for (int64_t byte = 0; byte < codes_.stride; byte += 64) __builtin_prefetch(next + byte);
            const Stat stat = stats_[rows_[i]];
            const uint8_t* row = codes_.row(rows_[i]);
            for (size_t k = 0; k < n_narrow; ++k) bases[k][row[offsets[k]]].add(stat);
            for (const Use& use : wide_) {
                uint32_t code = 0;
                if (use.width == 2) {
                    uint16_t half;
                    std::memcpy(&half, row + use.offset, 2);
                    code = half;
                } else {
                    std::memcpy(&code, row + use.offset, 4);
                }
                bins[use.bins + code].add(stat);
            }
        }
    }

    // Leaves the bins empty for the next node.
    Result scan_bins(const Todo& node, int32_t feature, Stat* bins, size_t n_bins, const float* values) {
        Prefix prefix(groups_);
        for (size_t code = 0; code < n_bins; ++code) {
            if (bins[code].is_empty()) continue;
            prefix.append(bins[code], static_cast<uint32_t>(code));
            bins[code] = Stat{};
        }
        return best_boundary(node, feature, values);
    }

    void sort_keys(const Todo& node, const Column& column) {
        const int64_t n = node.end - node.start;
        keys_.resize(n);
        spare_keys_.resize(n);
        for (int64_t i = 0; i < n; ++i) {
            const uint64_t row = rows_[node.start + i];
            keys_[i] = static_cast<uint64_t>(codes_.code(row, column)) << 32 | row;
        }
        for (int shift = 32; column.values.size() >> (shift - 32); shift += 10) {
            int64_t starts[1025] = {0};
            for (int64_t i = 0; i < n; ++i) ++starts[(keys_[i] >> shift & 1023) + 1];
            for (int d = 0; d < 1024; ++d) starts[d + 1] += starts[d];
            for (int64_t i = 0; i < n; ++i) spare_keys_[starts[keys_[i] >> shift & 1023]++] = keys_[i];
            keys_.swap(spare_keys_);
        }
    }

    void find_by_sorting(const Todo& node, int32_t position) {
        const int32_t feature = drawn_[position];
        const Column& column = codes_.columns[feature];
        const int64_t n = node.end - node.start;
        sort_keys(node, column);
        groups_.reserve(n + 1);
        Prefix prefix(groups_);
        for (int64_t i = 0; i < n; ++i) {
            prefix.total.add(stats_[static_cast<uint32_t>(keys_[i])]);
            const uint32_t code = static_cast<uint32_t>(keys_[i] >> 32);
            if (i + 1 == n || code != keys_[i + 1] >> 32) prefix.put(code);
        }
        results_[position] = best_boundary(node, feature, column.values.data());
    }

    // --- Blocks ------------------------------------------------------------------------------------------------------

    void enter_block(Todo& node) {
        const int64_t n = node.end - node.start;
        if (block_ids_.empty()) prepare_blocks();
        for (int64_t i = 0; i < n; ++i) {
            const int64_t row = rows_[node.start + i];
            const uint8_t* from = codes_.row(row);
            uint16_t* to = block_codes_.data() + i * block_stride_;
            for (int32_t c = 0; c < codes_.n_narrow; ++c) to[c] = from[c];
            block_ids_[i] = static_cast<uint16_t>(i);
            block_stats_[i] = stats_[row];
            block_target_[i] = target_[row];
        }
        is_known_.assign(n_columns_, 0);
        for (int64_t k = 0; k < node.n_constants; ++k) is_known_[constants_[k]] = 1;
        for (int32_t c = 0; c < n_columns_; ++c)
            if (codes_.columns[c].width > 1 && !is_known_[c]) rank_again(node, c);
        node.start = 0;
        node.end = n;
        node.in_block = true;
    }

    void prepare_blocks() {
        const size_t most = std::min<size_t>(kBlock, rows_.size());
        block_ids_.resize(most);
        spare_ids_.resize(most);
        block_stats_.resize(most);
        block_target_.resize(most);
        block_codes_.assign(most * block_stride_, 0);
        local_codes_.resize(most);
        differs_.resize(block_stride_);
        block_n_values_.resize(n_columns_);
        own_values_.resize(static_cast<size_t>(n_columns_ - codes_.n_narrow) * most);
        block_values_.resize(n_columns_);
        float* own = own_values_.data();
        size_t largest = most;
        for (int32_t c = 0; c < n_columns_; ++c) {
            const Column& column = codes_.columns[c];
            const int32_t at = column_of_[c];
            block_n_values_[at] = static_cast<uint32_t>(column.values.size());
            block_values_[at] = column.width == 1 ? const_cast<float*>(column.values.data()) : own;
            if (column.width > 1) own += most;
            if (column.width == 1) largest = std::max(largest, column.values.size());
        }
        groups_.reserve(largest + 1);
    }

    // Numbers the codes of a wide column that occur in the block; those of narrow ones stay as they are.
    void rank_again(const Todo& node, int32_t feature) {
        const Column& column = codes_.columns[feature];
        const int64_t n = node.end - node.start;
        const int32_t at = column_of_[feature];
        for (int64_t i = 0; i < n; ++i) local_codes_[i] = codes_.code(rows_[node.start + i], column);
        float* values = block_values_[at];
        uint16_t* to = block_codes_.data() + at;
        const size_t n_words = (column.values.size() + 63) / 64;
        uint32_t n_values = 0;
        if (n_words > static_cast<size_t>(4 * n + 4)) {
            sorted_codes_.assign(local_codes_.begin(), local_codes_.begin() + n);
            std::sort(sorted_codes_.begin(), sorted_codes_.end());
            sorted_codes_.erase(std::unique(sorted_codes_.begin(), sorted_codes_.end()), sorted_codes_.end());
            for (uint32_t code : sorted_codes_) values[n_values++] = column.values[code];
            for (int64_t i = 0; i < n; ++i)
                to[i * block_stride_] = static_cast<uint16_t>(
                    std::lower_bound(sorted_codes_.begin(), sorted_codes_.end(), local_codes_[i]) - sorted_codes_.begin());
        } else {
            words_.assign(n_words, 0);
            before_.resize(n_words);
            for (int64_t i = 0; i < n; ++i) words_[local_codes_[i] >> 6] |= uint64_t{1} << (local_codes_[i] & 63);
            for (size_t w = 0; w < n_words; ++w) {
                before_[w] = n_values;
                for (uint64_t bits = words_[w]; bits; bits &= bits - 1)
                    values[n_values++] = column.values[w * 64 + __builtin_ctzll(bits)];
            }
            for (int64_t i = 0; i < n; ++i) {
                const uint32_t code = local_codes_[i];
                const uint64_t below = words_[code >> 6] & ((uint64_t{1} << (code & 63)) - 1);
                to[i * block_stride_] = static_cast<uint16_t>(before_[code >> 6] + __builtin_popcountll(below));
            }
        }
        block_n_values_[at] = n_values;
    }

    // Marks the columns in which two rows of the node differ.
    void find_differences(const Todo& node) {
        std::fill(differs_.begin(), differs_.end(), 0);
        const int64_t stride = block_stride_;
        const uint16_t* first = block_codes_.data() + block_ids_[node.start] * stride;
        uint16_t* differs = differs_.data();
        for (int64_t i = node.start + 1; i < node.end; ++i) {
            const uint16_t* row = block_codes_.data() + block_ids_[i] * stride;
            for (int64_t c = 0; c < stride; ++c) differs[c] |= static_cast<uint16_t>(row[c] ^ first[c]);
        }
    }

    void evaluate_block(const Todo& node) {
        const int64_t n = node.end - node.start;
        tiny_.clear();
        uses_.clear();
        size_t n_bins = 0;
        for (int32_t k = 0; k < static_cast<int32_t>(drawn_.size()); ++k) {
            const int32_t at = column_of_[drawn_[k]];
            if (n <= kTiny && !scalar_[drawn_[k]]) {
                tiny_.push_back({static_cast<uint32_t>(at), 0, k, 0});
            } else {
                uses_.push_back({static_cast<uint32_t>(at), block_n_values_[at], k, n_bins});
                n_bins += block_n_values_[at];
            }
        }
        if (!tiny_.empty()) compare_all_pairs(node);
        if (uses_.empty()) return;
        if (bins_.size() < n_bins) bins_.assign(n_bins, Stat{});
        Stat* const bins = bins_.data();
        offsets_.clear();
        bases_.clear();
        for (const Use& use : uses_) {
            offsets_.push_back(use.offset);
            bases_.push_back(bins + use.bins);
        }
        const uint32_t* const offsets = offsets_.data();
        Stat* const* const bases = bases_.data();
        const size_t n_uses = uses_.size();
        for (int64_t i = node.start; i < node.end; ++i) {
            const Stat stat = block_stats_[block_ids_[i]];
            const uint16_t* row = block_codes_.data() + block_ids_[i] * block_stride_;
            for (size_t k = 0; k < n_uses; ++k) bases[k][row[offsets[k]]].add(stat);
        }
        for (const Use& use : uses_) {
            const int32_t feature = drawn_[use.position];
            const float* values = block_values_[use.offset];
            results_[use.position] = use.width <= 2 * n
                                         ? scan_bins(node, feature, bins + use.bins, use.width, values)
                                         : scan_marked(node, feature, use, values);
        }
    }

    // Looks only at bins that hold rows, which a bit each marks.
    Result scan_marked(const Todo& node, int32_t feature, const Use& use, const float* values) {
        uint64_t marks[kBlock / 64] = {0};
        for (int64_t i = node.start; i < node.end; ++i) {
            const uint32_t code = block_codes_[block_ids_[i] * block_stride_ + use.offset];
            marks[code >> 6] |= uint64_t{1} << (code & 63);
        }
        Stat* const bins = bins_.data() + use.bins;
        Prefix prefix(groups_);
        for (uint32_t w = 0; w * 64 < use.width; ++w)
            for (uint64_t bits = marks[w]; bits; bits &= bits - 1) {
                const uint32_t code = w * 64 + __builtin_ctzll(bits);
                prefix.append(bins[code], code);
                bins[code] = Stat{};
            }
        return best_boundary(node, feature, values);
    }

    // The rows up to each row's own code are those left of a split there; lanes hold several columns.
    void compare_all_pairs(const Todo& node) {
        const int64_t n = node.end - node.start;
        const size_t n_columns = tiny_.size();
        const size_t padded = (n_columns + kLanes - 1) / kLanes * kLanes;
        pair_codes_.resize(kTiny * ((n_columns_ + kLanes - 1) / kLanes * kLanes));
        Stat stats[kTiny];
        for (int64_t i = 0; i < n; ++i) {
            const uint16_t id = block_ids_[node.start + i];
            const uint16_t* row = block_codes_.data() + id * block_stride_;
            double* to = pair_codes_.data() + i * padded;
            for (size_t k = 0; k < n_columns; ++k) to[k] = row[tiny_[k].offset];
            stats[i] = block_stats_[id];
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
                results_[tiny_[first + lane].position] = {best[lane], static_cast<uint32_t>(best_code[lane]), kUnknown};
        }
    }

    // --- More than two classes ---------------------------------------------------------------------------------------

    void count_classes(const Todo& node) {
        node_classes_.assign(n_values_, 0.0);
        for (int64_t i = node.start; i < node.end; ++i) {
            const Stat& stat = node.in_block ? block_stats_[block_ids_[i]] : stats_[rows_[i]];
            node_classes_[static_cast<int32_t>(stat.sum)] += stat.weight();
        }
    }

    void evaluate_classes(const Todo& node) {
        for (int32_t k = 0; k < static_cast<int32_t>(drawn_.size()); ++k) {
            const int32_t feature = drawn_[k];
            const Column& column = codes_.columns[feature];
            if (node.in_block) {
                const int32_t at = column_of_[feature];
                const uint16_t* codes = block_codes_.data() + at;
                keys_.resize(node.end - node.start);
                for (int64_t i = node.start; i < node.end; ++i)
                    keys_[i - node.start] = static_cast<uint64_t>(codes[block_ids_[i] * block_stride_]) << 32 | block_ids_[i];
                sort_small_keys(block_n_values_[at]);
                results_[k] = scan_classes(node, block_stats_.data(), block_values_[at]);
            } else {
                sort_keys(node, column);
                results_[k] = scan_classes(node, stats_.data(), column.values.data());
            }
        }
    }

    // Counting sort where it is cheaper than comparing.
    void sort_small_keys(uint32_t n_codes) {
        const size_t n = keys_.size();
        if (n <= 16) {
            for (size_t i = 1; i < n; ++i) {
                const uint64_t key = keys_[i];
                size_t j = i;
                for (; j > 0 && keys_[j - 1] > key; --j) keys_[j] = keys_[j - 1];
                keys_[j] = key;
            }
        } else if (n_codes > 8 * n) {
            std::sort(keys_.begin(), keys_.end());
        } else {
            starts_.assign(n_codes + 1, 0);
            spare_keys_.resize(n);
            for (uint64_t key : keys_) ++starts_[(key >> 32) + 1];
            for (uint32_t code = 0; code < n_codes; ++code) starts_[code + 1] += starts_[code];
            for (uint64_t key : keys_) spare_keys_[starts_[key >> 32]++] = key;
            keys_.swap(spare_keys_);
        }
    }

    Result scan_classes(const Todo& node, const Stat* stats, const float* values) {
        Result result;
        const int64_t n = node.end - node.start;
        const bool entropy = set_.criterion == kEntropy;
        const double weight = node.totals.weight;
        std::fill(class_left_.begin(), class_left_.end(), 0.0);
        double left_weight = 0, left_squares = 0, right_squares = 0;
        for (int32_t k = 0; k < n_values_; ++k) right_squares += node_classes_[k] * node_classes_[k];
        for (int64_t i = 0; i + 1 < n; ++i) {
            const Stat& stat = stats[static_cast<uint32_t>(keys_[i])];
            const int32_t k = static_cast<int32_t>(stat.sum);
            const double own = stat.weight(), left = class_left_[k], right = node_classes_[k] - left;
            left_weight += own;
            left_squares += own * (2 * left + own);
            right_squares += own * (own - 2 * right);
            class_left_[k] = left + own;
            const uint64_t code = keys_[i] >> 32, next = keys_[i + 1] >> 32;
            if (code == next || i + 1 < set_.min_samples_leaf || n - i - 1 < set_.min_samples_leaf) continue;
            const double right_weight = weight - left_weight;
            if (left_weight < set_.min_weight_leaf || right_weight < set_.min_weight_leaf) continue;
            if (are_one_value(values[code], values[next])) continue;
            double left_impurity, right_impurity;
            if (entropy) {
                left_impurity = right_impurity = 0.0;
                for (int32_t c = 0; c < n_values_; ++c) {
                    left_impurity -= entropy_term(class_left_[c], left_weight);
                    right_impurity -= entropy_term(node_classes_[c] - class_left_[c], right_weight);
                }
            } else {
                left_impurity = 1.0 - left_squares / (left_weight * left_weight);
                right_impurity = 1.0 - right_squares / (right_weight * right_weight);
            }
            const double gain = -right_weight * right_impurity - left_weight * left_impurity;
            if (gain > result.gain) result = {gain, static_cast<uint32_t>(code), static_cast<uint32_t>(next)};
        }
        return result;
    }

    const Codes& codes_;
    const Settings& set_;
    const double* target_;
    Nodes& nodes_;
    const int32_t n_columns_;
    int32_t n_values_;
    uint32_t state_;

    std::vector<Stat> stats_, bins_;
    std::vector<uint32_t> rows_, spare_;
    std::vector<int32_t> features_, constants_, drawn_, column_of_;
    std::vector<uint8_t> scalar_;
    std::vector<Result> results_;
    std::vector<Use> narrow_, wide_, tiny_, uses_;
    std::vector<uint32_t> offsets_;
    std::vector<Stat*> bases_;
    std::vector<uint64_t> keys_, spare_keys_, words_;
    std::vector<uint32_t> before_, sorted_codes_, local_codes_, block_n_values_, starts_;
    std::vector<uint16_t> block_ids_, spare_ids_, block_codes_, differs_;
    std::vector<Stat> block_stats_;
    std::vector<double> block_target_, pair_codes_, class_left_, class_total_, node_classes_;
    std::vector<float> own_values_;
    std::vector<float*> block_values_;
    std::vector<uint8_t> is_known_;
    int64_t block_stride_ = 0;
    Groups groups_;
};

}  // namespace grower

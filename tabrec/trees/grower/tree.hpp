// Grows one tree with the same draws of features and the same best splits as scikit-learn's builder.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cstdint>
#include <type_traits>

#include "block.hpp"
#include "boundaries.hpp"
#include "codes.hpp"
#include "draws.hpp"
#include "large_nodes.hpp"
#include "nodes.hpp"
#include "parts.hpp"
#include "random_splits.hpp"
#include "stats.hpp"

namespace grower {

template <class Stat, int kCriterion>
class Builder {
public:
    Builder(const Codes& codes, const Settings& settings, const double* target, const double* weights, Nodes& nodes)
        : set_(settings), target_(target), nodes_(nodes), class_weights_(settings.n_classes), parts_(settings),
          boundaries_(codes, settings), draws_(codes.n_columns, settings.seed), best_(codes.n_columns),
          large_(codes, settings, target, weights, boundaries_, groups_, keys_, parts_),
          block_(codes, settings, large_.n_rows(), boundaries_, groups_, keys_, parts_),
          random_(settings, boundaries_, parts_) {}

    // False if it was stopped.
    bool build() { return set_.max_leaves > 0 ? build_best_first() : build_depth_first(); }

private:
    // A node with its best split.
    struct Candidate {
        Todo left, right;
        int64_t id = 0;
        double improvement = 0;
        bool is_leaf = true;

        friend bool operator<(const Candidate& a, const Candidate& b) { return a.improvement < b.improvement; }
    };

    bool build_depth_first() {
        Buffer<Todo> stack;
        stack.push_back(root());
        while (!stack.empty()) {
            if (*set_.stop) return false;
            const Todo node = stack.back();
            stack.pop_back();
            visit(node, stack);
        }
        return true;
    }

    // Best-first growth, in the order of scikit-learn's heap.
    bool build_best_first() {
        Buffer<Candidate> heap;
        heap.push_back(propose(root()));
        int64_t n_splits = set_.max_leaves - 1;
        while (!heap.empty()) {
            if (*set_.stop) return false;
            std::pop_heap(heap.begin(), heap.end());
            const Candidate best = heap.back();
            heap.pop_back();
            if (best.is_leaf) continue;
            if (n_splits <= 0) {
                nodes_.feature[best.id] = -2;
                nodes_.threshold[best.id] = -2.0;
                continue;
            }
            --n_splits;
            const Candidate left = propose(best.left), right = propose(best.right);
            for (const Candidate& child : {left, right}) {
                heap.push_back(child);
                std::push_heap(heap.begin(), heap.end());
            }
        }
        return true;
    }

    Todo root() {
        Todo root;
        root.end = large_.n_rows();
        sum_up(root, large_);
        return root;
    }

    Candidate propose(Todo node) {
        Candidate found;
        Split split;
        node.n_constants = 0;  // constant columns are inherited from the parent only in depth-first order
        if constexpr (has_parts(kCriterion)) count_parts(node);
        found.is_leaf = ends(node) || !divide(node, large_, split, found.left, found.right, found.improvement);
        found.id = append(node, found.is_leaf, split, found.left, found.right);
        if (found.is_leaf) {
            found.improvement = 0;
            return found;
        }
        bound_children(node, split, found.left, found.right);
        found.right.parent = found.left.parent = found.id;
        found.left.is_left = true;
        return found;
    }

    bool ends(const Todo& node) const {
        return node.depth >= set_.max_depth || node.n_rows() < set_.min_samples_split ||
               node.n_rows() < 2 * set_.min_samples_leaf || node.totals.weight < 2 * set_.min_weight_leaf ||
               node.impurity <= DBL_EPSILON;
    }

    void visit(Todo node, Buffer<Todo>& stack) {
        bool is_leaf = ends(node);
        if (!is_leaf && !node.in_block && node.n_rows() <= kBlock)
            block_.enter(node, large_.ids(), large_.stats(), target_, draws_.constants());
        if constexpr (has_parts(kCriterion)) count_parts(node);
        Split split;
        Todo left, right;
        double improvement;
        if (!is_leaf)
            is_leaf = node.in_block ? !divide(node, block_, split, left, right, improvement)
                                    : !divide(node, large_, split, left, right, improvement);
        const int64_t id = append(node, is_leaf, split, left, right);
        if (is_leaf) return;
        bound_children(node, split, left, right);
        right.parent = left.parent = id;
        left.is_left = true;
        stack.push_back(right);
        stack.push_back(left);
    }

    // Splits a node; returns false if no split is good enough.
    template <class Rows>
    bool divide(const Todo& node, Rows& rows, Split& split, Todo& left, Todo& right, double& improvement) {
        left.n_constants = node.n_constants;
        if (!find_split(node, rows, left.n_constants, split)) return false;
        const int64_t middle = rows.divide(node, split);
        left.start = node.start;
        left.end = right.start = middle;
        right.end = node.end;
        left.depth = right.depth = node.depth + 1;
        left.in_block = right.in_block = node.in_block;
        right.n_constants = left.n_constants;
        sum_up(left, rows);
        sum_up(right, rows);
        improvement = node.totals.weight / set_.total_weight *
                      (node.impurity - right.totals.weight / node.totals.weight * right.impurity -
                       left.totals.weight / node.totals.weight * left.impurity);
        return improvement + DBL_EPSILON >= set_.min_impurity_decrease;
    }

    template <class Rows>
    bool find_split(const Todo& node, Rows& rows, int64_t& n_constants, Split& split) {
        if (set_.has_random_splits) return random_.find(node, rows, draws_, n_constants, split);
        if constexpr (std::is_same_v<Rows, Block<Stat, kCriterion>>) rows.find_differences(node);
        const Buffer<int32_t>& drawn = draws_.draw(
            set_.max_features, n_constants, [&](int32_t feature) { return rows.is_constant(node, feature); });
        rows.evaluate(node, drawn, best_.data());
        Best best;
        for (size_t k = 0; k < drawn.size(); ++k)
            if (best_[k].gain > best.gain) {
                best = best_[k];
                split.feature = drawn[k];
            }
        if (best.gain == -kInfinity) return false;
        split.low = best.low;
        split.threshold = rows.threshold(node, split.feature, best);
        return true;
    }

    template <class Rows>
    void sum_up(Todo& node, Rows& rows) {
        if constexpr (kCriterion == kOutputs)
            return parts_.sum_up(node, rows.ids() + node.start, node.n_rows(), rows.stats());
        node.totals = rows.sum_up(node.start, node.end, class_weights_);
        if constexpr (kCriterion == kClasses)
            node.impurity = impurity_of_classes(class_weights_, node.totals.weight, set_.criterion == kEntropy);
        else
            node.impurity = impurity<kCriterion>(node.totals);
    }

    void count_parts(const Todo& node) {
        if (node.in_block)
            parts_.count(block_.ids() + node.start, node.n_rows(), block_.stats());
        else
            parts_.count(large_.ids() + node.start, node.n_rows(), large_.stats());
    }

    int64_t append(const Todo& node, bool is_leaf, const Split& split, const Todo& left, const Todo& right) {
        const int64_t id = static_cast<int64_t>(nodes_.left.size());
        if (node.parent >= 0) (node.is_left ? nodes_.left : nodes_.right)[node.parent] = id;
        nodes_.left.push_back(-1);
        nodes_.right.push_back(-1);
        nodes_.feature.push_back(is_leaf ? -2 : split.feature);
        nodes_.threshold.push_back(is_leaf ? -2.0 : split.threshold);
        nodes_.impurity.push_back(node.impurity);
        nodes_.n_rows.push_back(node.n_rows());
        nodes_.weight.push_back(node.totals.weight);
        nodes_.missing_left.push_back(!is_leaf && left.n_rows() > right.n_rows());
        nodes_.max_depth = std::max(nodes_.max_depth, node.depth);
        append_value(node);
        return id;
    }

    void append_value(const Todo& node) {
        const double sum = node.totals.sum, weight = node.totals.weight;
        if constexpr (has_parts(kCriterion)) {
            parts_.append_values(weight, nodes_.value);
        } else {
            const double value = clipped(bounded_value<kCriterion>(sum, weight), node);
            nodes_.value.push_back(value);
            if (kCriterion != kSquaredError)
                nodes_.value.push_back(set_.monotonic == nullptr ? sum / weight : 1 - value);
        }
    }

    double clipped(double value, const Todo& node) const {
        return set_.monotonic == nullptr ? value : value < node.lower ? node.lower : value > node.upper ? node.upper : value;
    }

    // Constraints bound the values below a split.
    void bound_children(const Todo& node, const Split& split, Todo& left, Todo& right) const {
        left.lower = right.lower = node.lower;
        left.upper = right.upper = node.upper;
        const int sign = set_.monotonic_sign(split.feature);
        if (sign == 0) return;
        const double middle = bounded_value<kCriterion>(left.totals.sum, left.totals.weight) / 2.0 +
                              bounded_value<kCriterion>(right.totals.sum, right.totals.weight) / 2.0;
        (sign > 0 ? left.upper : left.lower) = middle;
        (sign > 0 ? right.lower : right.upper) = middle;
    }

    const Settings& set_;
    const double* target_;
    Nodes& nodes_;
    Buffer<double> class_weights_;
    Parts<kCriterion> parts_;
    Boundaries<kCriterion> boundaries_;
    FeatureDraws draws_;
    Buffer<Best> best_;
    Groups groups_;
    Keys keys_;
    LargeNodes<Stat, kCriterion> large_;
    Block<Stat, kCriterion> block_;
    RandomSplits<Stat, kCriterion> random_;
};

}  // namespace grower

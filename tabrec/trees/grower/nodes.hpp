// The parameters of a tree, its nodes, and nodes to split.
#pragma once

#include <algorithm>
#include <cstdint>

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
    int64_t max_leaves;  // 0 for no limit
    double min_weight_leaf;
    double min_impurity_decrease;
    double total_weight;
    const int8_t* monotonic;  // of each column, or null
    const double* outputs;    // of each row, if there are several
    const int32_t* classes_of_outputs;  // their number, or null
    const volatile int32_t* stop;
    uint32_t seed;
    int32_t is_packed;  // integer weights of a sum below 2**25
    int32_t n_outputs;
    int32_t has_random_splits;

    int monotonic_sign(int32_t feature) const { return monotonic == nullptr ? 0 : monotonic[feature]; }
};

struct Nodes {
    Buffer<int64_t> left, right, feature, n_rows;
    Buffer<double> threshold, impurity, weight, value;
    Buffer<uint8_t> missing_left;
    int64_t max_depth = 0;
};

// A node to split: positions `start` to `end` of the rows of the tree, or of the block.
struct Todo {
    int64_t start = 0, end = 0, depth = 0, parent = -1, n_constants = 0;
    double impurity = 0, lower = -kInfinity, upper = kInfinity;
    Totals totals;
    bool is_left = false, in_block = false;

    int64_t n_rows() const { return end - start; }
};

constexpr uint32_t kUnknown = 0xffffffffu;

// The best split of a column: rows of codes up to `low` go left, and `high` is the next code of the node, if known.
struct Best {
    double gain = -kInfinity;
    uint32_t low = 0, high = 0;
};

// The codes of a column in a node are between these, which occur in it.
struct Range {
    uint32_t low, high;
};

struct Split {
    int32_t feature = -2;
    uint32_t low = 0;
    double threshold = -2.0;
};

// Partitions the ids of a node stably, left before right; returns the start of the right ones.
template <class Id, class GoesLeft>
inline int64_t partition(Id* ids, Id* spare, const Todo& node, GoesLeft goes_left) {
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

}  // namespace grower

// Passes rows through fitted trees: finds their leaves, and sums the values of leaves over trees.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace grower {

// A fitted tree of scikit-learn, whose arrays of nodes are `step` bytes apart.
struct FittedTree {
    const char *left, *right, *feature, *threshold;
    const double* value;  // n_values of each node
    int64_t step;
    int64_t n_nodes;
};

struct Matrix {
    const float* data;
    int64_t row_step, column_step;
    int64_t n_columns;
};

struct Step {
    float threshold;
    int32_t feature;
    int32_t children[2];  // left, right
};

// Number of rows that are interleaved, to hide the latency of memory.
constexpr int kTogether = 16;
// Number of levels after which rows that have reached a leaf are removed.
constexpr int kLevels = 4;
constexpr int64_t kWalking = 256;
// Number of bytes that stay in the cache between trees; larger rows are prefetched.
constexpr int64_t kCache = 1 << 20;
constexpr int64_t kRowsOfBlock = 64;

// Leaves are their own children. A float32 is at most a float64 threshold if it is at most the threshold rounded down.
inline void pack(const FittedTree& tree, std::vector<Step>& steps) {
    steps.resize(tree.n_nodes);
    const float largest = std::numeric_limits<float>::infinity();
    for (int64_t i = 0; i < tree.n_nodes; ++i) {
        const int64_t left = *reinterpret_cast<const int64_t*>(tree.left + i * tree.step);
        if (left < 0) {
            steps[i] = {largest, 0, {static_cast<int32_t>(i), static_cast<int32_t>(i)}};
            continue;
        }
        const double exact = *reinterpret_cast<const double*>(tree.threshold + i * tree.step);
        float threshold = static_cast<float>(exact);
        if (static_cast<double>(threshold) > exact) threshold = std::nextafter(threshold, -largest);
        steps[i] = {threshold, static_cast<int32_t>(*reinterpret_cast<const int64_t*>(tree.feature + i * tree.step)),
                    {static_cast<int32_t>(left),
                     static_cast<int32_t>(*reinterpret_cast<const int64_t*>(tree.right + i * tree.step))}};
    }
}

// Returns false if a value is missing, because directions of missing values are not stored here.
inline bool copy_rows(const Matrix& matrix, const int64_t* rows, int64_t first, int64_t n, float* to) {
    bool missing = false;
    // Few rows at a time, so that these stay in the cache while column after column is copied.
    for (int64_t start = 0; start < n; start += kRowsOfBlock) {
        const int64_t end = std::min(start + kRowsOfBlock, n);
        for (int64_t c = 0; c < matrix.n_columns; ++c) {
            const float* column = matrix.data + c * matrix.column_step;
            for (int64_t i = start; i < end; ++i) {
                const float value = column[(rows == nullptr ? first + i : rows[first + i]) * matrix.row_step];
                missing |= value != value;
                to[i * matrix.n_columns + c] = value;
            }
        }
    }
    return !missing;
}

// Rows of numbers, one after the other.
struct Numbers {
    const float* block;
    int64_t n_columns;

    int64_t bytes() const { return n_columns * static_cast<int64_t>(sizeof(float)); }
    const float* row(int64_t i) const { return block + i * n_columns; }
    static bool goes_right(const float* row, const Step& step) { return row[step.feature] > step.threshold; }
};

// Moves rows down some levels. Children are indexed, because a branch would often be mispredicted.
template <int kRows, class AnyStep, class Rows>
inline void descend(const AnyStep* steps, const Rows& rows, int64_t first, const int32_t* walking, int32_t* nodes) {
    decltype(rows.row(0)) row[kRows];
    int32_t at[kRows];
    for (int k = 0; k < kRows; ++k) {
        row[k] = rows.row(first + walking[k]);
        at[k] = nodes[k];
    }
    for (int level = 0; level < kLevels; ++level)
#pragma GCC unroll 16
        for (int k = 0; k < kRows; ++k) {
            const AnyStep& step = steps[at[k]];
            at[k] = step.children[Rows::goes_right(row[k], step)];
        }
    std::copy_n(at, kRows, nodes);
}

template <class AnyStep, class Rows>
inline void walk(const std::vector<AnyStep>& steps, const Rows& rows, int64_t n, int32_t* leaves) {
    const AnyStep* const all = steps.data();
    int32_t walking[kWalking], nodes[kWalking];
    const bool are_far = n * rows.bytes() > kCache;
    for (int64_t first = 0; first < n; first += kWalking) {
        int64_t n_walking = std::min(kWalking, n - first);
        std::iota(walking, walking + n_walking, 0);
        std::fill_n(nodes, n_walking, 0);
        for (int64_t i = 0; are_far && i < n_walking; ++i)
            for (int64_t byte = 0; byte < rows.bytes(); byte += 64)
                __builtin_prefetch(reinterpret_cast<const char*>(rows.row(first + i)) + byte);
        while (n_walking > 0) {
            int64_t i = 0, n_left = 0;
            for (; i + kTogether <= n_walking; i += kTogether)
                descend<kTogether>(all, rows, first, walking + i, nodes + i);
            for (; i < n_walking; ++i) descend<1>(all, rows, first, walking + i, nodes + i);
            for (i = 0; i < n_walking; ++i) {
                const int32_t row = walking[i], at = nodes[i];
                leaves[first + row] = at;
                walking[n_left] = row;
                nodes[n_left] = at;
                n_left += all[at].children[0] != at;
            }
            n_walking = n_left;
        }
    }
}

// The same with unpacked nodes, for few rows, for which packing a tree takes too long.
inline void walk_unpacked(const FittedTree& tree, const float* rows, int64_t n_columns, int64_t n, int32_t* leaves) {
    for (int64_t i = 0; i < n; ++i) {
        int64_t at = 0;
        for (;;) {
            const int64_t offset = at * tree.step;
            const int64_t left = *reinterpret_cast<const int64_t*>(tree.left + offset);
            if (left < 0) break;
            const int64_t feature = *reinterpret_cast<const int64_t*>(tree.feature + offset);
            const bool is_left = rows[i * n_columns + feature] <= *reinterpret_cast<const double*>(tree.threshold + offset);
            at = is_left ? left : *reinterpret_cast<const int64_t*>(tree.right + offset);
        }
        leaves[i] = static_cast<int32_t>(at);
    }
}

inline bool find_leaves(const FittedTree& tree, const Matrix& matrix, const int64_t* rows, int64_t n, int32_t* leaves) {
    std::vector<Step> steps;
    const bool few = n * 4 < tree.n_nodes;
    if (!few) pack(tree, steps);
    std::vector<float> block(kRowsOfBlock * matrix.n_columns);
    for (int64_t first = 0; first < n; first += kRowsOfBlock) {
        const int64_t n_here = std::min(kRowsOfBlock, n - first);
        if (!copy_rows(matrix, rows, first, n_here, block.data())) return false;
        if (few)
            walk_unpacked(tree, block.data(), matrix.n_columns, n_here, leaves + first);
        else
            walk(steps, Numbers{block.data(), matrix.n_columns}, n_here, leaves + first);
    }
    return true;
}

// Adds the values of all trees, in their order, to `out` of the rows from `first` on: (n, n_values).
inline bool add_predictions(const FittedTree* trees, int64_t n_trees, int64_t n_values, const Matrix& matrix,
                            int64_t first, int64_t n, double* out) {
    int64_t most_nodes = 0;
    for (int64_t t = 0; t < n_trees; ++t) most_nodes = std::max(most_nodes, trees[t].n_nodes);
    // Chunks are of equal size, and large enough that packing a tree pays off for each.
    const int64_t most = std::clamp<int64_t>(most_nodes, 8192, 131072), n_chunks = (n + most - 1) / most;
    const int64_t chunk = n_chunks == 0 ? 0 : (n + n_chunks - 1) / n_chunks;
    std::vector<Step> steps;
    std::vector<float> block(chunk * matrix.n_columns);
    std::vector<int32_t> leaves(chunk);
    for (int64_t start = 0; start < n; start += chunk) {
        const int64_t n_here = std::min(chunk, n - start);
        if (!copy_rows(matrix, nullptr, first + start, n_here, block.data())) return false;
        for (int64_t t = 0; t < n_trees; ++t) {
            const FittedTree& tree = trees[t];
            if (n_here * 4 < tree.n_nodes) {
                walk_unpacked(tree, block.data(), matrix.n_columns, n_here, leaves.data());
            } else {
                pack(tree, steps);
                walk(steps, Numbers{block.data(), matrix.n_columns}, n_here, leaves.data());
            }
            for (int64_t i = 0; i < n_here; ++i) {
                const double* value = tree.value + leaves[i] * n_values;
                double* to = out + (start + i) * n_values;
                for (int64_t v = 0; v < n_values; ++v) to[v] += value[v];
            }
        }
    }
    return true;
}

}  // namespace grower

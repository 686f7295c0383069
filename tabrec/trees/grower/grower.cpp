// The functions that Python calls through ctypes, which releases the GIL. Each returns 0, or a code of `Outcome`.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>

#include "codes.hpp"
#include "tree.hpp"
#include "walk.hpp"
#include "walk_codes.hpp"

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

enum Outcome : int32_t { kDone = 0, kOutOfMemory = 1, kStopped = 2, kMissing = 3 };

template <class Stat, int kCriterion>
bool build(const grower::Codes& codes, const grower::Settings& settings, const double* target, const double* weights,
           grower::Nodes& nodes) {
    return grower::Builder<Stat, kCriterion>(codes, settings, target, weights, nodes).build();
}

// Only common criteria have a specialised version with two doubles per bin.
bool build_any(const grower::Codes& codes, const grower::Settings& set, const double* target, const double* weights,
               grower::Nodes& nodes) {
    using namespace grower;
    if (set.n_outputs > 1) return build<Loose, kOutputs>(codes, set, target, weights, nodes);
    if (set.criterion == kSquaredError)
        return set.is_packed ? build<Packed, kSquaredError>(codes, set, target, weights, nodes)
                             : build<Loose, kSquaredError>(codes, set, target, weights, nodes);
    if (set.n_classes != 2) return build<Loose, kClasses>(codes, set, target, weights, nodes);
    if (set.criterion == kEntropy) return build<Loose, kEntropy>(codes, set, target, weights, nodes);
    return set.is_packed ? build<Packed, kGini>(codes, set, target, weights, nodes)
                         : build<Loose, kGini>(codes, set, target, weights, nodes);
}

template <class Work>
int32_t guarded(Work work) {
    try {
        return work();
    } catch (const std::bad_alloc&) {
        return kOutOfMemory;
    }
}

}  // namespace

// Increased whenever a signature or a struct changes.
EXPORTED int32_t grower_version() { return 5; }

EXPORTED int32_t grower_encode(const float* matrix, int64_t n_rows, int32_t n_columns, int64_t row_step,
                               int64_t column_step, grower::Codes** out) {
    *out = nullptr;
    return guarded([&]() -> int32_t {
        auto* codes = new grower::Codes();
        try {
            grower::encode(matrix, n_rows, n_columns, row_step, column_step, *codes);
        } catch (...) {
            delete codes;
            throw;
        }
        *out = codes;
        return kDone;
    });
}

EXPORTED void grower_free_codes(grower::Codes* codes) {
    delete codes;
    grower::Spares::of_thread().release();
}

EXPORTED int32_t grower_grow(const grower::Codes* codes, const grower::Settings* settings, const double* target,
                             const double* weights, grower::Nodes** out) {
    *out = nullptr;
    return guarded([&]() -> int32_t {
        auto* nodes = new grower::Nodes();
        bool done;
        try {
            done = build_any(*codes, *settings, target, weights, *nodes);
        } catch (...) {
            delete nodes;
            throw;
        }
        if (!done) {
            delete nodes;
            return kStopped;
        }
        *out = nodes;
        return kDone;
    });
}

EXPORTED void grower_free_nodes(grower::Nodes* nodes) { delete nodes; }

EXPORTED int64_t grower_count(const grower::Nodes* nodes) { return static_cast<int64_t>(nodes->left.size()); }

EXPORTED int64_t grower_depth(const grower::Nodes* nodes) { return nodes->max_depth; }

// Writes the nodes into records of `record` bytes, whose fields are at `offsets` in the order of the lines below, and
// what the nodes hold into `values`.
EXPORTED void grower_write(const grower::Nodes* nodes, char* records, int64_t record, const int64_t* offsets,
                           double* values) {
    const auto write = [&](int field, const auto& of_nodes) {
        char* to = records + offsets[field];
        for (size_t i = 0; i < of_nodes.size(); ++i) std::memcpy(to + i * record, &of_nodes[i], sizeof(of_nodes[i]));
    };
    write(0, nodes->left);
    write(1, nodes->right);
    write(2, nodes->feature);
    write(3, nodes->n_rows);
    write(4, nodes->threshold);
    write(5, nodes->impurity);
    write(6, nodes->weight);
    write(7, nodes->missing_left);
    std::copy(nodes->value.begin(), nodes->value.end(), values);
}

EXPORTED int32_t grower_find_leaves(const grower::FittedTree* tree, const grower::Matrix* matrix, const int64_t* rows,
                                    int64_t n_rows, int32_t* leaves) {
    return guarded(
        [&]() -> int32_t { return grower::find_leaves(*tree, *matrix, rows, n_rows, leaves) ? kDone : kMissing; });
}

EXPORTED int32_t grower_find_leaves_of_codes(const grower::Codes* codes, const grower::FittedTree* tree,
                                             const int64_t* rows, int64_t n_rows, int32_t* leaves) {
    return guarded([&]() -> int32_t {
        grower::find_leaves(*tree, *codes, rows, n_rows, leaves);
        return kDone;
    });
}

EXPORTED int32_t grower_add_predictions(const grower::FittedTree* trees, int64_t n_trees, int64_t n_values,
                                        const grower::Matrix* matrix, int64_t first, int64_t n_rows, double* out) {
    return guarded([&]() -> int32_t {
        return grower::add_predictions(trees, n_trees, n_values, *matrix, first, n_rows, out) ? kDone : kMissing;
    });
}

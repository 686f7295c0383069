// Passes rows of the table of a forest through trees grown on it, by their codes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "codes.hpp"
#include "walk.hpp"

namespace grower {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "codes are read from the lowest byte on");

// A code is compared in the upper end of four bytes; `shift` removes the codes of the next columns.
struct CodeStep {
    uint32_t low;  // the largest code that goes left
    uint32_t offset : 27, shift : 5;
    int32_t children[2];
};

struct CodedRows {
    const Codes& codes;
    const int64_t* rows;

    int64_t bytes() const { return codes.stride; }
    const uint8_t* row(int64_t i) const { return codes.row(rows[i]); }
    static bool goes_right(const uint8_t* row, const CodeStep& step) {
        uint32_t code;
        std::memcpy(&code, row + step.offset, 4);
        return code << step.shift > step.low;
    }
};

inline void pack(const FittedTree& tree, const Codes& codes, std::vector<CodeStep>& steps) {
    steps.resize(tree.n_nodes);
    for (int64_t i = 0; i < tree.n_nodes; ++i) {
        const int32_t here = static_cast<int32_t>(i);
        const int64_t left = *reinterpret_cast<const int64_t*>(tree.left + i * tree.step);
        if (left < 0) {
            steps[i] = {~0u, 0, 0, {here, here}};
            continue;
        }
        const int32_t right = static_cast<int32_t>(*reinterpret_cast<const int64_t*>(tree.right + i * tree.step));
        const double threshold = *reinterpret_cast<const double*>(tree.threshold + i * tree.step);
        const Column& column = codes.columns[*reinterpret_cast<const int64_t*>(tree.feature + i * tree.step)];
        const auto above = std::upper_bound(column.values.begin(), column.values.end(), threshold);
        const int64_t n_left = above - column.values.begin();
        const uint32_t shift = 32 - 8 * column.width;
        steps[i] = {n_left == 0 ? 0 : static_cast<uint32_t>(n_left - 1) << shift, column.offset, shift,
                    {n_left == 0 ? right : static_cast<int32_t>(left), right}};
    }
}

inline void find_leaves(const FittedTree& tree, const Codes& codes, const int64_t* rows, int64_t n, int32_t* leaves) {
    std::vector<CodeStep> steps;
    pack(tree, codes, steps);
    walk(steps, CodedRows{codes, rows}, n, leaves);
}

}  // namespace grower

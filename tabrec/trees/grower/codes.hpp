// The table of a forest as codes, which are ranks among the distinct values of a column, stored by row.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace grower {

// Values that differ by at most this count as equal, as in scikit-learn.
constexpr float kFeatureThreshold = 1e-7f;

struct Column {
    uint32_t offset = 0;  // bytes from the start of a row
    uint32_t width = 1;   // bytes of a code: 1, 2 or 4
    std::vector<float> values;  // by code, ascending
    bool has_close_values = false;
};

inline bool are_one_value(float lower, float upper) {
    const float limit = lower + kFeatureThreshold;
    return upper <= limit;
}

// A code of two or four bytes.
inline uint32_t read_wide(const uint8_t* at, uint32_t width) {
    if (width == 2) {
        uint16_t code;
        std::memcpy(&code, at, 2);
        return code;
    }
    uint32_t code;
    std::memcpy(&code, at, 4);
    return code;
}

struct Codes {
    int64_t n_rows = 0;
    int32_t n_columns = 0;
    int64_t stride = 0;  // bytes of a row
    int32_t n_narrow = 0;  // columns of one byte, which come first
    std::vector<Column> columns;
    std::vector<uint8_t> bytes;

    const uint8_t* row(int64_t index) const { return bytes.data() + index * stride; }

    uint32_t code(int64_t index, const Column& column) const {
        const uint8_t* at = row(index) + column.offset;
        return column.width == 1 ? *at : read_wide(at, column.width);
    }
};

// Integers in a small range are ranked by a lookup table, other values by a radix sort.
class Ranking {
public:
    explicit Ranking(int64_t n_rows) : n_(n_rows), ranks(n_rows) {}

    void rank(const float* column, int64_t step, std::vector<float>& values) {
        values.clear();
        float low = column[0], high = column[0];
        bool whole = true;
        for (int64_t i = 0; i < n_; ++i) {
            const float value = column[i * step];
            low = std::min(low, value);
            high = std::max(high, value);
            whole = whole && value >= -1e6f && value <= 1e6f && value == static_cast<float>(static_cast<int32_t>(value));
        }
        if (whole && high - low <= 4.0f * static_cast<float>(n_) + 1024.0f)
            by_table(column, step, static_cast<int32_t>(low), static_cast<int32_t>(high), values);
        else
            by_sort(column, step, values);
    }

private:
    int64_t n_;

    void by_table(const float* column, int64_t step, int32_t low, int32_t high, std::vector<float>& values) {
        table_.assign(static_cast<size_t>(high) - low + 1, 0);
        for (int64_t i = 0; i < n_; ++i) table_[static_cast<int32_t>(column[i * step]) - low] = 1;
        for (size_t v = 0; v < table_.size(); ++v) {
            if (!table_[v]) continue;
            table_[v] = static_cast<uint32_t>(values.size());
            values.push_back(static_cast<float>(static_cast<int32_t>(v) + low));
        }
        for (int64_t i = 0; i < n_; ++i) ranks[i] = table_[static_cast<int32_t>(column[i * step]) - low];
    }

    void by_sort(const float* column, int64_t step, std::vector<float>& values) {
        keys_.resize(n_);
        spare_.resize(n_);
        for (int64_t i = 0; i < n_; ++i) {
            const float value = column[i * step] + 0.0f;  // -0 becomes 0
            uint32_t bits;
            std::memcpy(&bits, &value, 4);
            bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
            keys_[i] = static_cast<uint64_t>(bits) << 32 | static_cast<uint64_t>(i);
        }
        for (int shift = 32; shift < 64; shift += 11) {
            int64_t starts[2049] = {0};
            for (int64_t i = 0; i < n_; ++i) ++starts[(keys_[i] >> shift & 2047) + 1];
            if (*std::max_element(starts, starts + 2049) == n_) continue;
            for (int d = 0; d < 2048; ++d) starts[d + 1] += starts[d];
            for (int64_t i = 0; i < n_; ++i) spare_[starts[keys_[i] >> shift & 2047]++] = keys_[i];
            keys_.swap(spare_);
        }
        for (int64_t i = 0; i < n_; ++i) {
            const uint32_t row = static_cast<uint32_t>(keys_[i]);
            if (i == 0 || keys_[i] >> 32 != keys_[i - 1] >> 32) values.push_back(column[row * step] + 0.0f);
            ranks[row] = static_cast<uint32_t>(values.size() - 1);
        }
    }

    std::vector<uint32_t> table_;
    std::vector<uint64_t> keys_, spare_;

public:
    std::vector<uint32_t> ranks;
};

// Columns are ranked one after the other into planes, then interleaved by row, the narrow ones first.
inline void encode(const float* matrix, int64_t n_rows, int32_t n_columns, int64_t row_step, int64_t column_step,
                   Codes& codes) {
    codes.n_rows = n_rows;
    codes.n_columns = n_columns;
    codes.columns.resize(n_columns);
    Ranking ranking(n_rows);
    std::vector<std::vector<uint8_t>> planes(n_columns);
    for (int32_t c = 0; c < n_columns; ++c) {
        Column& column = codes.columns[c];
        ranking.rank(matrix + c * column_step, row_step, column.values);
        const size_t n_values = column.values.size();
        column.width = n_values <= 256 ? 1 : n_values <= 65536 ? 2 : 4;
        for (size_t v = 1; v < n_values; ++v)
            column.has_close_values |= are_one_value(column.values[v - 1], column.values[v]);
        planes[c].resize(n_rows * column.width);
        uint8_t* plane = planes[c].data();
        const uint32_t* ranks = ranking.ranks.data();
        if (column.width == 1)
            for (int64_t i = 0; i < n_rows; ++i) plane[i] = static_cast<uint8_t>(ranks[i]);
        else if (column.width == 2)
            for (int64_t i = 0; i < n_rows; ++i) reinterpret_cast<uint16_t*>(plane)[i] = static_cast<uint16_t>(ranks[i]);
        else
            std::memcpy(plane, ranks, n_rows * 4);
    }
    uint32_t offset = 0;
    for (uint32_t width : {1u, 2u, 4u})
        for (Column& column : codes.columns)
            if (column.width == width) {
                column.offset = offset;
                offset += width;
                codes.n_narrow += width == 1;
            }
    codes.stride = (offset + 3) / 4 * 4;
    codes.bytes.assign(n_rows * codes.stride + 64, 0);
    constexpr int64_t kRows = 512;
    for (int64_t first = 0; first < n_rows; first += kRows) {
        const int64_t last = std::min(first + kRows, n_rows);
        for (int32_t c = 0; c < n_columns; ++c) {
            const Column& column = codes.columns[c];
            uint8_t* to = codes.bytes.data() + column.offset;
            const uint8_t* plane = planes[c].data();
            if (column.width == 1)
                for (int64_t i = first; i < last; ++i) to[i * codes.stride] = plane[i];
            else
                for (int64_t i = first; i < last; ++i)
                    std::memcpy(to + i * codes.stride, plane + i * column.width, column.width);
        }
    }
}

}  // namespace grower

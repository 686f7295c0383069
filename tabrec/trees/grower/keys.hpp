// Sorts rows by code.
#pragma once

#include <algorithm>
#include <cstdint>

#include "buffers.hpp"

namespace grower {

// Keys with a code in the upper half and a row in the lower half.
class Keys {
public:
    void resize(int64_t n) { keys_.resize(n); }
    void set(int64_t i, uint32_t code, uint32_t row) { keys_[i] = static_cast<uint64_t>(code) << 32 | row; }
    int64_t size() const { return static_cast<int64_t>(keys_.size()); }
    uint32_t code(int64_t i) const { return static_cast<uint32_t>(keys_[i] >> 32); }
    uint32_t row(int64_t i) const { return static_cast<uint32_t>(keys_[i]); }

    void sort(uint32_t n_codes) {
        if (size() <= 16)
            insert();
        else if (n_codes <= std::min<int64_t>(8 * size(), 8192))
            count(n_codes);
        else if (size() <= 256)
            std::sort(keys_.begin(), keys_.end());
        else
            sort_digits(n_codes);
    }

private:
    void insert() {
        for (size_t i = 1; i < keys_.size(); ++i) {
            const uint64_t key = keys_[i];
            size_t j = i;
            for (; j > 0 && keys_[j - 1] > key; --j) keys_[j] = keys_[j - 1];
            keys_[j] = key;
        }
    }

    void count(uint32_t n_codes) {
        starts_.assign(n_codes + 1, 0);
        spare_.resize(keys_.size());
        for (uint64_t key : keys_) ++starts_[(key >> 32) + 1];
        for (uint32_t code = 0; code < n_codes; ++code) starts_[code + 1] += starts_[code];
        for (uint64_t key : keys_) spare_[starts_[key >> 32]++] = key;
        keys_.swap(spare_);
    }

    void sort_digits(uint32_t n_codes) {
        spare_.resize(keys_.size());
        for (int shift = 32; n_codes >> (shift - 32); shift += 10) {
            int64_t starts[1025] = {0};
            for (uint64_t key : keys_) ++starts[(key >> shift & 1023) + 1];
            for (int d = 0; d < 1024; ++d) starts[d + 1] += starts[d];
            for (uint64_t key : keys_) spare_[starts[key >> shift & 1023]++] = key;
            keys_.swap(spare_);
        }
    }

    Buffer<uint64_t> keys_, spare_;
    Buffer<uint32_t> starts_;
};

}  // namespace grower

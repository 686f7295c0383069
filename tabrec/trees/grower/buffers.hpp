// Memory that is reused from tree to tree, because freeing and allocating it takes a tenth of the time of a tree.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace grower {

// Free blocks of memory by the binary logarithm of their size, for each thread.
class Spares {
public:
    ~Spares() { release(); }

    void* take(size_t n_bytes) {
        const int level = level_of(n_bytes);
        if (level >= kFirst && !blocks_[level].empty()) {
            void* block = blocks_[level].back();
            blocks_[level].pop_back();
            return block;
        }
        const size_t size = level < kFirst ? n_bytes : size_t{1} << level;
        void* block = std::malloc(size);
        if (block == nullptr) {
            release();
            block = std::malloc(size);
        }
        if (block == nullptr) throw std::bad_alloc();
        return block;
    }

    void give(void* block, size_t n_bytes) noexcept {
        const int level = level_of(n_bytes);
        if (level < kFirst) return std::free(block);
        try {
            blocks_[level].push_back(block);
        } catch (const std::bad_alloc&) {
            std::free(block);
        }
    }

    void release() noexcept {
        for (auto& blocks : blocks_) {
            for (void* block : blocks) std::free(block);
            blocks.clear();
        }
    }

    static Spares& of_thread() {
        static thread_local Spares spares;
        return spares;
    }

private:
    static constexpr int kFirst = 12;  // smaller blocks are allocated by malloc
    static constexpr int kLevels = 64;

    static int level_of(size_t n_bytes) {
        int level = 0;
        while (level + 1 < kLevels && size_t{1} << level < n_bytes) ++level;
        return level;
    }

    std::vector<void*> blocks_[kLevels];
};

template <class T>
struct SpareMemory {
    using value_type = T;
    SpareMemory() = default;
    template <class Other>
    SpareMemory(const SpareMemory<Other>&) {}
    T* allocate(size_t n) { return static_cast<T*>(Spares::of_thread().take(n * sizeof(T))); }
    void deallocate(T* block, size_t n) noexcept { Spares::of_thread().give(block, n * sizeof(T)); }
    friend bool operator==(const SpareMemory&, const SpareMemory&) { return true; }
    friend bool operator!=(const SpareMemory&, const SpareMemory&) { return false; }
};

template <class T>
using Buffer = std::vector<T, SpareMemory<T>>;

}  // namespace grower

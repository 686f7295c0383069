// The statistics of a bin, packed and unpacked.
#pragma once

#include "lanes.hpp"

namespace grower {

// Sum, weight and number of the rows of a bin. Packed, integer weights share a double with the number of rows.
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

}  // namespace grower

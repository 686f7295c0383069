// Vectors of doubles, of the width of the instruction set that the file is compiled for.
#pragma once

#include <cstdint>
#include <limits>

namespace grower {

#if defined(__AVX512F__)
constexpr int kLanes = 8;
#elif defined(__AVX2__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 2;
#endif

typedef double Doubles __attribute__((vector_size(8 * kLanes)));
typedef double LooseDoubles __attribute__((vector_size(8 * kLanes), aligned(8), may_alias));

inline Doubles all(double value) { return value - Doubles{}; }
inline Doubles load(const double* from) { return *reinterpret_cast<const LooseDoubles*>(from); }
inline void store(double* to, Doubles values) { *reinterpret_cast<LooseDoubles*>(to) = values; }

typedef double Four __attribute__((vector_size(32)));
typedef double LooseFour __attribute__((vector_size(32), aligned(8), may_alias));

inline Four load_four(const double* from) { return *reinterpret_cast<const LooseFour*>(from); }
inline double sum_of(Four values) { return (values[0] + values[1]) + (values[2] + values[3]); }

// Vectorised comparison of the codes of a block.
constexpr int kShorts = 16;
typedef uint16_t Shorts __attribute__((vector_size(2 * kShorts), aligned(2), may_alias));
inline Shorts load_shorts(const uint16_t* from) { return *reinterpret_cast<const Shorts*>(from); }

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace grower

#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "buffer.h"
#include "math/octet.h"
#include "runtime.h"

// Values, sizes and comparisons for the drivers. A comparison that fails prints the case and ends
// the program.

namespace fastgan {
namespace emulation {

inline std::mt19937_64 values_random(20261120);

template <class T>
void fill_uniform(Buffer<T>& buffer, double low, double high) {
  std::uniform_real_distribution<double> uniform(low, high);
  for (int64_t i = buffer.first(); i < buffer.size(); ++i) {
    buffer[i] = static_cast<T>(static_cast<float>(uniform(values_random)));
  }
}

// Replaces one number in nine by one of `specials`.
template <class T>
void sprinkle(Buffer<T>& buffer, const std::vector<double>& specials) {
  for (int64_t i = buffer.first(); i < buffer.size(); ++i) {
    if (values_random() % 9 == 0) {
      buffer[i] = static_cast<T>(specials[values_random() % specials.size()]);
    }
  }
}

inline const std::vector<double>& special_numbers() {
  constexpr double inf = std::numeric_limits<double>::infinity();
  static const std::vector<double> numbers{0.0,  -0.0,  inf,     -inf,    std::nan(""),
                                           1e-6, -1e-6, 60000.0, -60000.0};
  return numbers;
}

// The distance of two numbers, counted in numbers of type T. -0 equals 0, and NaN equals NaN.
template <class T>
int64_t ulps_between(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 8, int64_t,
                                  std::conditional_t<sizeof(T) == 4, int32_t, int16_t>>;
  const auto place = [](T value) -> int64_t {
    Bits bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits >= 0 ? int64_t{bits} : -int64_t{bits & std::numeric_limits<Bits>::max()};
  };
  const bool nan_a = std::isnan(static_cast<double>(a)), nan_b = std::isnan(static_cast<double>(b));
  if (nan_a || nan_b) return nan_a && nan_b ? 0 : std::numeric_limits<int64_t>::max();
  const int64_t difference =
      static_cast<int64_t>(static_cast<uint64_t>(place(a)) - static_cast<uint64_t>(place(b)));
  return difference < 0 ? -difference : difference;
}

// The epsilon of the type in which T is computed.
template <class T>
constexpr double epsilon_of() {
  return std::is_same_v<T, double> ? std::numeric_limits<double>::epsilon()
                                   : static_cast<double>(std::numeric_limits<float>::epsilon());
}

// Fails unless all elements are within `ulps`, or within the absolute `slack`, for terms that
// cancel.
template <class T>
void expect_close(const char* name, Buffer<T>& emulated, Buffer<T>& reference, double slack = 0.0,
                  int64_t ulps = 2) {
  for (int64_t i = reference.first(); i < reference.size(); ++i) {
    const double expected = static_cast<double>(reference[i]);
    const double got = static_cast<double>(emulated[i]);
    if (ulps_between(emulated[i], reference[i]) <= ulps) continue;
    if (std::abs(got - expected) <= slack) continue;
    mismatch("%s[%ld]: expected %.17g, got %.17g", name, static_cast<long>(i), expected, got);
  }
}

inline void expect_equal(const char* name, Buffer<uint8_t>& emulated, Buffer<uint8_t>& reference) {
  for (int64_t i = reference.first(); i < reference.size(); ++i) {
    if (emulated[i] == reference[i]) continue;
    mismatch("%s[%ld]: expected 0x%02X, got 0x%02X", name, static_cast<long>(i), reference[i],
             emulated[i]);
  }
}

// For sums in different orders of terms of one sign: fails unless they are within `relative` and
// the rounding to T.
template <class T>
void expect_sum(const char* name, T emulated, double reference, double relative) {
  const double got = static_cast<double>(emulated), rounded = static_cast<double>(T(reference));
  if (std::isnan(got) && std::isnan(reference)) return;
  const double rounding =
      std::abs(rounded) * static_cast<double>(std::numeric_limits<T>::epsilon());
  if (std::abs(got - rounded) <= relative * std::abs(reference) + rounding) return;
  mismatch("%s: expected %.17g, got %.17g", name, reference, got);
}

template <class T>
constexpr const char* name_of() {
  if (std::is_same_v<T, float>) return "float";
  if (std::is_same_v<T, double>) return "double";
  return std::is_same_v<T, c10::Half> ? "Half" : "BFloat16";
}

// Around the sizes of an octet, of a CPU block and of a CUDA block; the last takes three CUDA
// blocks.
constexpr int64_t kSizes[] = {1, 7, 8, 9, 127, 128, 129, 2048, 4095, 5003};

// Elements of one CUDA block if each thread has one octet.
constexpr int64_t kBlockOfCuda = 256 * kOctet;

// A tensor whose last octets have indices above 2^32. Memory and work begin at kFarFirst, a
// multiple of the CPU's and CUDA's block and chunk sizes. A processor emulator may not support so
// large an address range; FASTGAN_FAR_BITS then lowers it.
#ifndef FASTGAN_FAR_BITS
#define FASTGAN_FAR_BITS 35
#endif
constexpr int64_t kFarFirst = (int64_t{1} << FASTGAN_FAR_BITS) - 4 * kBlockOfCuda;
constexpr int64_t kFarElements = (int64_t{1} << FASTGAN_FAR_BITS) + 3 * kBlockOfCuda - 5;
constexpr int64_t kFarBlocks = (kFarElements + kBlockOfCuda - 1) / kBlockOfCuda;

// Makes the next launches skip the blocks before that of `element`, for kernels with one octet a
// thread.
inline void start_at(int64_t element) { settings.first_block = element / kBlockOfCuda; }

// The same for kernels whose threads have one octet or several.
inline void start_at(int64_t element, int64_t elements) {
  settings.first_element = element;
  settings.elements = elements;
}

// A shape of grid: the most blocks, and how many blocks more than there is work for.
struct Grid {
  int64_t most, more;
  bool few_sizes;  // run few sizes, as other grids run them all

  std::string use() const {
    settings.most_blocks = most;
    settings.more_blocks = more;
    return "at most " + std::to_string(most) + " blocks and " + std::to_string(more) + " more";
  }
  bool wants(int64_t elements) const { return !few_sizes || elements == 9 || elements >= 4095; }
};
constexpr Grid kWholeGrid{kMostBlocksOfCuda, 0, false};

// The driver's argument: the order of threads (Settings::order).
inline uint64_t order_from(int count, char** arguments) {
  if (count == 2) return std::strtoull(arguments[1], nullptr, 10);
  std::fprintf(stderr, "expected one argument, the order of threads: 0, or a seed\n");
  std::exit(2);
}

// Whether the argument is "races", which runs one small case: ThreadSanitizer is slow.
inline bool only_races(int count, char** arguments) {
  return count == 2 && std::strcmp(arguments[1], "races") == 0;
}

template <class F>
int run_driver(int count, char** arguments, F of_type) {
  settings.order = order_from(count, arguments);
  of_type(float{});
  of_type(double{});
  of_type(c10::Half{});
  of_type(c10::BFloat16{});
  std::printf("%ld cases\n", static_cast<long>(cases));
  return 0;
}

}  // namespace emulation
}  // namespace fastgan

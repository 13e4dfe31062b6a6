#include "kernels/cpu/capability.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace fastgan {
namespace {

constexpr const char* kNames[] = {"default", "avx2", "avx512"};

Capability best_of_processor() {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  // F16C is not tested, as clang 14 cannot. Every processor with AVX2 has it.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2 && avx512) return Capability::kAvx512;
  if (avx2) return Capability::kAvx2;
#endif
  return Capability::kDefault;
}

Capability choose() {
  const Capability best = best_of_processor();
  const char* asked = std::getenv("FASTGAN_CPU_CAPABILITY");
  if (asked == nullptr || *asked == '\0') return best;
  for (int i = 0; i < 3; ++i) {
    if (asked != std::string(kNames[i])) continue;
    if (i > static_cast<int>(best)) {
      throw std::runtime_error("fastgan: FASTGAN_CPU_CAPABILITY: expected at most '" +
                               std::string(kNames[static_cast<int>(best)]) +
                               "', which this processor has, got '" + asked + "'");
    }
    return static_cast<Capability>(i);
  }
  throw std::runtime_error(
      "fastgan: FASTGAN_CPU_CAPABILITY: expected avx512, avx2 or default, got '" +
      std::string(asked) + "'");
}

}  // namespace

Capability capability() {
  static const Capability chosen = choose();
  return chosen;
}

const char* cpu_capability() { return kNames[static_cast<int>(capability())]; }

}  // namespace fastgan

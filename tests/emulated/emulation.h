#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>

#include "runtime.h"

// The part of CUDA that the kernels use, for a C++ compiler. csrc/kernels/cuda/launch.cuh includes
// this header if the compiler is not nvcc. README.md lists what is missing on purpose.

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

#define threadIdx ::fastgan::emulation::thread_index
#define blockIdx ::fastgan::emulation::block_index
#define blockDim ::fastgan::emulation::block_size
#define gridDim ::fastgan::emulation::grid_size

// Declares a reference to an array of known size, so that UBSan checks its bounds.
#define FASTGAN_SHARED(type, name, count)                 \
  static char name##_site;                                \
  type(&name)[count] = *reinterpret_cast<type(*)[count]>( \
      ::fastgan::emulation::shared_array(&name##_site, sizeof(type) * (count)))

inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  fastgan::emulation::barrier(file, line);
}

inline void __syncwarp(uint32_t mask = 0xFFFFFFFFu, const char* file = __builtin_FILE(),
                       int line = __builtin_LINE()) {
  fastgan::emulation::warp_barrier(mask, file, line);
}

inline void __threadfence() { fastgan::emulation::fence(); }

namespace fastgan {
namespace emulation {

template <class T>
T exchange_value(uint32_t mask, T value, int source, const char* file, int line) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "shuffles move at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = exchange(mask, bits, source, file, line);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace emulation
}  // namespace fastgan

template <class T>
T __shfl_sync(uint32_t mask, T value, int source, const char* file = __builtin_FILE(),
              int line = __builtin_LINE()) {
  return fastgan::emulation::exchange_value(mask, value, source & 31, file, line);
}

template <class T>
T __shfl_down_sync(uint32_t mask, T value, int distance, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE()) {
  return fastgan::emulation::exchange_value(mask, value, fastgan::emulation::lane() + distance,
                                            file, line);
}

template <class T>
T __shfl_xor_sync(uint32_t mask, T value, int lanes, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  return fastgan::emulation::exchange_value(mask, value, fastgan::emulation::lane() ^ lanes, file,
                                            line);
}

// Relaxed, as on a GPU: only fences order memory around them.
template <class T, class V>
T atomicAdd(T* address, V value) {
  fastgan::emulation::atomic_access(address);
  return __atomic_fetch_add(address, static_cast<T>(value), __ATOMIC_RELAXED);
}

template <class T, class V>
T atomicExch(T* address, V value) {
  fastgan::emulation::atomic_access(address);
  return __atomic_exchange_n(address, static_cast<T>(value), __ATOMIC_RELAXED);
}

namespace fastgan {

inline const int64_t& kMostBlocks = emulation::settings.most_blocks;

template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), int64_t blocks, CUstream_st*, A... arguments) {
  struct Call {
    void (*kernel)(P...);
    std::tuple<P...> arguments;
  };
  const Call call{kernel, {static_cast<P>(arguments)...}};
  emulation::run_grid(
      name,
      [](const void* opaque) {
        const auto& [kernel, arguments] = *static_cast<const Call*>(opaque);
        std::apply(kernel, arguments);
      },
      &call, blocks + emulation::settings.more_blocks, kThreads);
}

}  // namespace fastgan

#pragma once

#include <cstdint>

#include "kernels/cuda/launch.cuh"
#include "math/octet.h"

// Loads and stores octets: in accesses of 16 bytes if the pointer is aligned and the octet whole,
// else element by element.

namespace fastgan {

template <class T>
struct alignas(16) Chunk {
  static constexpr int kLanes = 16 / sizeof(T);
  T lane[kLanes];
};

// Octets are multiples of 16 bytes, so all of them are aligned if the tensor's first one is.
inline bool aligned16(const void* pointer) {
  return reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
}

template <class T, class S>
__device__ __forceinline__ void load_octet(const T* base, int64_t octet, int64_t elements,
                                           bool aligned, S (&out)[kOctet]) {
  const T* first = base + octet * kOctet;
  const int64_t left = elements - octet * kOctet;
  if (aligned && left >= kOctet) {
#pragma unroll
    for (int c = 0; c < kOctet / Chunk<T>::kLanes; ++c) {
      const Chunk<T> chunk = reinterpret_cast<const Chunk<T>*>(first)[c];
#pragma unroll
      for (int i = 0; i < Chunk<T>::kLanes; ++i)
        out[c * Chunk<T>::kLanes + i] = static_cast<S>(chunk.lane[i]);
    }
    return;
  }
#pragma unroll
  for (int i = 0; i < kOctet; ++i) out[i] = i < left ? static_cast<S>(first[i]) : S(0);
}

template <class T, class S>
__device__ __forceinline__ void store_octet(T* base, int64_t octet, int64_t elements, bool aligned,
                                            const S (&values)[kOctet]) {
  T* first = base + octet * kOctet;
  const int64_t left = elements - octet * kOctet;
  if (aligned && left >= kOctet) {
#pragma unroll
    for (int c = 0; c < kOctet / Chunk<T>::kLanes; ++c) {
      Chunk<T> chunk;
#pragma unroll
      for (int i = 0; i < Chunk<T>::kLanes; ++i)
        chunk.lane[i] = static_cast<T>(values[c * Chunk<T>::kLanes + i]);
      reinterpret_cast<Chunk<T>*>(first)[c] = chunk;
    }
    return;
  }
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    if (i < left) first[i] = static_cast<T>(values[i]);
  }
}

}  // namespace fastgan

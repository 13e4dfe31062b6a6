#pragma once

#include <cstdint>

#include "math/octet.h"

// The one way to start a kernel, so that the same .cu source also compiles as C++ and runs on the
// CPU, where the tests give another launch(). Rules that kernels keep for it stand in
// tests/emulated/README.md.

struct CUstream_st;

namespace fastgan {

constexpr int kThreads = 256;

}  // namespace fastgan

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

// Shared memory of a block, only through this: tests give each block fresh memory under the name.
#define FASTGAN_SHARED(type, name, count) __shared__ type name[count]

namespace fastgan {

constexpr int64_t kMostBlocks = (int64_t{1} << 31) - 1;

template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), int64_t blocks, CUstream_st* stream,
            A... arguments) {
  kernel<<<static_cast<unsigned int>(blocks), kThreads, 0, stream>>>(static_cast<P>(arguments)...);
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) {
    throw std::runtime_error(std::string("fastgan::") + name +
                             ": the CUDA launch failed: " + cudaGetErrorString(error));
  }
}

}  // namespace fastgan

#else
#include "emulation.h"
#endif

namespace fastgan {

// Blocks for `work` threads; kernels stride over what a full grid leaves.
inline int64_t blocks_for(int64_t work) {
  const int64_t blocks = (work + kThreads - 1) / kThreads;
  return blocks < kMostBlocks ? blocks : kMostBlocks;
}

}  // namespace fastgan

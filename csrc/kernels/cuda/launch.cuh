#pragma once

#include <cstdint>

#include "math/octet.h"

// Launches a kernel. Rows use nothing else to do so, as the tests also compile them as C++ and run
// them on the CPU, with emulation.h in place of CUDA. tests/emulated/README.md has the rules that
// kernels follow for that.

struct CUstream_st;

namespace fastgan {

constexpr int kThreads = 256;

}  // namespace fastgan

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

// Declares an array in shared memory. The tests define it differently.
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

// The blocks for `work` threads, at most kMostBlocks. Kernels loop over the work with the grid's
// stride.
inline int64_t blocks_for(int64_t work) {
  const int64_t blocks = (work + kThreads - 1) / kThreads;
  return blocks < kMostBlocks ? blocks : kMostBlocks;
}

}  // namespace fastgan

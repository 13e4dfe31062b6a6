#pragma once

#ifdef FASTGAN_WITH_CUDA

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/reduction.h"

namespace fastgan {

// Scratch memory of one launch of a CUDA reduction (kernels/cuda/reduce.cuh) on the current stream:
// the ticket, which is 0 before the launch, and the blocks' partial sums. A graph that captures the
// launch also captures the zeroing.
//
// It comes from torch's allocator, as that of torch's own reductions does. Memory of our own, kept
// for each stream, would save the zeroing, but it finds no room where torch's cache holds the whole
// GPU, and cannot tell a stream from a later one with the same handle.
struct Workspace {
  at::Tensor memory;  // returned to the allocator, which reuses it in the stream's order
  CUstream_st* stream;
  uint32_t* ticket;
  double* partials;  // [kMostPartials]

  explicit Workspace(c10::Device device)
      : memory(
            at::empty({1 + kMostPartials}, at::TensorOptions().device(device).dtype(at::kDouble))),
        stream(c10::cuda::getCurrentCUDAStream().stream()) {
    double* const first = memory.mutable_data_ptr<double>();
    ticket = reinterpret_cast<uint32_t*>(first);
    partials = first + 1;
    C10_CUDA_CHECK(cudaMemsetAsync(ticket, 0, sizeof *ticket, stream));
  }
};

}  // namespace fastgan

#endif

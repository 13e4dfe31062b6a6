#pragma once

#ifdef FASTGAN_WITH_CUDA

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <c10/cuda/CUDAStream.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include "kernels/reduction.h"

namespace fastgan {

// Scratch memory of a CUDA reduction (kernels/cuda/reduce.cuh): the ticket, which is 0 between
// launches, and the blocks' partial sums. Each stream has one, which its launches use one after
// another; it is never freed. A launch that a graph captures gets its own, and the graph replays
// the zeroing of it.
struct Workspace {
  at::Tensor captured;  // undefined outside of a capture
  CUstream_st* stream;
  uint32_t* ticket;
  double* partials;  // [kMostPartials]

  explicit Workspace(c10::Device device) {
    const c10::cuda::CUDAStream current = c10::cuda::getCurrentCUDAStream();
    stream = current.stream();
    if (c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None) {
      captured = at::zeros({kDoubles}, at::TensorOptions().device(device).dtype(at::kDouble));
      lay_out(captured.mutable_data_ptr<double>());
    } else {
      // Never destroyed, as it may be used after CUDA's own statics are gone.
      static auto& pool = *new std::map<std::pair<int, CUstream_st*>, double*>();
      static auto& mutex = *new std::mutex();
      const std::lock_guard<std::mutex> lock(mutex);
      double*& kept = pool[{current.device_index(), stream}];
      if (kept == nullptr) kept = allocate(stream);
      lay_out(kept);
    }
  }

 private:
  static constexpr int64_t kDoubles = 1 + kMostPartials;

  void lay_out(double* memory) {
    ticket = reinterpret_cast<uint32_t*>(memory);
    partials = memory + 1;
  }

  // Not from torch's allocator: while torch.compile's CUDA graphs warm up, it allocates from a pool
  // that they reclaim later. The relaxed mode permits cudaMalloc while another stream is capturing.
  static double* allocate(CUstream_st* stream) {
    const c10::cuda::CUDAStreamCaptureModeGuard relaxed(cudaStreamCaptureModeRelaxed);
    void* memory = nullptr;
    C10_CUDA_CHECK(cudaMalloc(&memory, kDoubles * sizeof(double)));
    C10_CUDA_CHECK(cudaMemsetAsync(memory, 0, kDoubles * sizeof(double), stream));
    return static_cast<double*>(memory);
  }
};

}  // namespace fastgan

#endif

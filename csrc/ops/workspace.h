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

// The scratch memory of reductions that end in their last block: a ticket, which is 0 between
// launches, and the blocks' partial sums. There is one for each stream, as launches on one stream
// follow each other, and it lives as long as the process. While a graph is captured there is a new
// one for each launch, whose zeroing the graph replays.
struct Workspace {
  at::Tensor captured;  // what a graph holds
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
      static auto& pool =
          *new std::map<std::pair<int, CUstream_st*>, double*>();  // outlives CUDA's own statics
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

  // Not of torch's allocator: torch.compile's CUDA graphs warm up with it turned to a pool of their
  // own, and take back what lies there. Another stream may be capturing meanwhile.
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

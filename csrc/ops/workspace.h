#pragma once

#ifdef FASTGAN_WITH_CUDA

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
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
  at::Tensor memory;
  CUstream_st* stream;
  uint32_t* ticket;
  double* partials;  // [kMostPartials]

  explicit Workspace(c10::Device device) {
    const c10::cuda::CUDAStream current = c10::cuda::getCurrentCUDAStream();
    stream = current.stream();
    if (c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None) {
      memory = allocate(device);
    } else {
      static auto& pool =
          *new std::map<std::pair<int, CUstream_st*>, at::Tensor>();  // outlives CUDA's own statics
      static auto& mutex = *new std::mutex();
      const std::lock_guard<std::mutex> lock(mutex);
      at::Tensor& kept = pool[{current.device_index(), stream}];
      if (!kept.defined()) kept = allocate(device);
      memory = kept;
    }
    partials = memory.mutable_data_ptr<double>() + 1;
    ticket = reinterpret_cast<uint32_t*>(memory.mutable_data_ptr<double>());
  }

 private:
  static at::Tensor allocate(c10::Device device) {
    return at::zeros({1 + kMostPartials}, at::TensorOptions().device(device).dtype(at::kDouble));
  }
};

}  // namespace fastgan

#endif

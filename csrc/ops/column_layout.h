#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/ArrayRef.h>
#include <c10/util/SmallVector.h>

#include <algorithm>
#include <cstdint>

#include "kernels/column_layout.h"
#include "math/column_noise.h"

#ifdef FASTGAN_WITH_CUDA
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <map>
#include <mutex>
#include <tuple>
#include <vector>
#endif

namespace fastgan {

// Checks the layout of a row against a tensor of rows (..., width).
inline void check_layout(const char* op, const char* argument, const at::Tensor& rows,
                         int64_t scalars, c10::IntArrayRef widths) {
  TORCH_CHECK_VALUE(scalars >= 0, "fastgan::", op, ": expected scalars >= 0, got ", scalars);
  int64_t entries = 0;
  for (const int64_t width : widths) {
    TORCH_CHECK_VALUE(width >= 1 && width <= kMostEntries, "fastgan::", op,
                      ": expected widths of at least 1, got ", widths);
    entries += width;
  }
  TORCH_CHECK_VALUE(entries <= kMostEntries, "fastgan::", op, ": expected widths of at most ",
                    kMostEntries, " columns together, got ", entries);
  // Subtracted, as the sum may overflow.
  TORCH_CHECK_VALUE(rows.dim() >= 1 && rows.sym_size(-1) - entries == scalars, "fastgan::", op,
                    ": expected ", argument, " of shape [..., ",
                    static_cast<uint64_t>(scalars) + static_cast<uint64_t>(entries), "], got ",
                    rows.sym_sizes());
}

// How many rows a checked tensor has.
inline int64_t rows_of(const at::Tensor& rows) {
  int64_t count = 1;
  for (const int64_t size : rows.sizes().slice(0, rows.dim() - 1)) count *= size;
  return count;
}

// A ColumnLayout with its arrays in host memory.
class HostLayout {
 public:
  HostLayout(int64_t scalars, c10::IntArrayRef widths) {
    const int64_t segments = static_cast<int64_t>(widths.size());
    for (const int64_t width : widths) entries_ += width;
    numbers_.resize(segments + 1 + entries_);
    int32_t* const owner = numbers_.data() + segments + 1;
    int32_t start = 0;
    for (int64_t s = 0; s < segments; ++s) {
      numbers_[s] = start;
      std::fill_n(owner + start, widths[s], static_cast<int32_t>(s));
      start += static_cast<int32_t>(widths[s]);
    }
    numbers_[segments] = start;
    layout_ = {scalars, segments, scalars + entries_, numbers_.data(), owner};
  }
  HostLayout(const HostLayout&) = delete;
  HostLayout& operator=(const HostLayout&) = delete;

  const ColumnLayout& layout() const { return layout_; }
  c10::ArrayRef<int32_t> numbers() const { return numbers_; }

 private:
  int64_t entries_ = 0;
  c10::SmallVector<int32_t, 256> numbers_;
  ColumnLayout layout_;
};

#ifdef FASTGAN_WITH_CUDA

// The same in device memory. It is copied once for each layout and device and kept from then on, so
// that a step copies nothing from the host. So the first call with a layout cannot be captured in a
// CUDA graph.
inline ColumnLayout device_layout(const char* op, const HostLayout& host, c10::Device device) {
  using Key = std::tuple<c10::DeviceIndex, int64_t, std::vector<int32_t>>;
  // Never destroyed, as CUDA may be shut down before it would be.
  static auto& tables = *new std::map<Key, at::Tensor>();
  static std::mutex mutex;
  const c10::ArrayRef<int32_t> numbers = host.numbers();
  ColumnLayout layout = host.layout();
  const std::lock_guard<std::mutex> lock(mutex);
  at::Tensor& table = tables[{device.index(), layout.segments, numbers.vec()}];
  if (!table.defined()) {
    const c10::cuda::CUDAGuard guard(device);
    TORCH_CHECK(c10::cuda::currentStreamCaptureStatusMayInitCtx() == c10::cuda::CaptureStatus::None,
                "fastgan::", op,
                ": expected the first call with these widths before a CUDA graph is captured, got "
                "one during the capture; call it once before");
    at::Tensor memory = at::empty({static_cast<int64_t>(numbers.size())},
                                  at::TensorOptions().device(device).dtype(at::kInt));
    // From pageable memory the call returns when the host's memory has been read. Other streams
    // may use the table at once, so the copy has to be complete.
    const auto stream = c10::cuda::getCurrentCUDAStream();
    C10_CUDA_CHECK(cudaMemcpyAsync(memory.mutable_data_ptr<int32_t>(), numbers.data(),
                                   numbers.size() * sizeof(int32_t), cudaMemcpyHostToDevice,
                                   stream.stream()));
    C10_CUDA_CHECK(cudaStreamSynchronize(stream.stream()));
    table = memory;
  }
  layout.starts = table.const_data_ptr<int32_t>();
  layout.owner = layout.starts + layout.segments + 1;
  return layout;
}

#endif

// The layout in the memory of a tensor's device; `host` has to live as long.
inline ColumnLayout layout_on(const char* op, const HostLayout& host, const at::Tensor& rows) {
#ifdef FASTGAN_WITH_CUDA
  if (rows.is_cuda()) return device_layout(op, host, rows.device());
#endif
  return host.layout();
}

}  // namespace fastgan

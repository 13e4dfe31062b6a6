#pragma once

#include <ATen/Parallel.h>
#include <c10/core/Device.h>

#include <algorithm>
#include <cstdint>

#include "kernels/column_layout.h"
#include "kernels/cpu/simd_common.h"
#include "kernels/reduction.h"
#include "math/octet.h"

#ifdef FASTGAN_WITH_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace fastgan {

// Runs a row's kernel over all octets of its tensors: on CUDA on the current stream, on the CPU in
// parallel. CPU threads share out whole blocks, so a tensor is always cut at the same places.
template <class Params>
void run_octets(c10::Device device, const Params& params, int64_t elements) {
  if (elements == 0) return;
  if (device.is_cpu()) {
    constexpr int64_t kGrain = 256;  // blocks: 32,768 elements
    const int64_t octets = octets_of(elements);
    const int64_t blocks = (octets + kBlockOctets - 1) / kBlockOctets;
    if (blocks <= kGrain) return run_cpu(params, 0, octets);
    at::parallel_for(0, blocks, kGrain, [&](int64_t first, int64_t last) {
      run_cpu(params, first * kBlockOctets, std::min(last * kBlockOctets, octets));
    });
    return;
  }
#ifdef FASTGAN_WITH_CUDA
  const c10::cuda::CUDAGuard guard(device);
  run_cuda(params, c10::cuda::getCurrentCUDAStream().stream());
#endif
}

// CPU only: runs the kernel of a row that sums over its `chunks` chunks of kSumChunk elements, in
// parallel.
template <class Params>
void run_chunks(const Params& params, int64_t chunks) {
  constexpr int64_t kGrain = 32768 / kSumChunk;
  if (chunks <= kGrain) return run_cpu(params, 0, chunks);
  at::parallel_for(0, chunks, kGrain,
                   [&](int64_t first, int64_t last) { run_cpu(params, first, last); });
}

// Runs a row's kernel over all rows of a table of `width` columns: on CUDA on the current stream,
// on the CPU in parallel. CPU threads share out whole groups of rows.
template <class Params>
void run_rows(c10::Device device, const Params& params, int64_t rows, int64_t width) {
  if (device.is_cpu()) {
    // 8,192 elements take at least as long as other rows' 32,768.
    const int64_t groups = row_groups(rows);
    const int64_t grain = 1 + 8192 / (kRowGroup * std::max<int64_t>(width, 1));
    if (groups <= grain) return run_cpu(params, 0, rows);
    at::parallel_for(0, groups, grain, [&](int64_t first, int64_t last) {
      run_cpu(params, first * kRowGroup, std::min(last * kRowGroup, rows));
    });
    return;
  }
#ifdef FASTGAN_WITH_CUDA
  const c10::cuda::CUDAGuard guard(device);
  run_cuda(params, c10::cuda::getCurrentCUDAStream().stream());
#endif
}

}  // namespace fastgan

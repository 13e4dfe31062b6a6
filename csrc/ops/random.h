#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Generator.h>
#include <c10/core/Device.h>
#include <c10/core/SymInt.h>

#include <cstdint>
#include <mutex>
#include <optional>

#include "kernels/random_state.h"

#ifdef FASTGAN_WITH_CUDA
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <c10/cuda/CUDAGuard.h>
#endif

namespace fastgan {

// The random arguments of a call, checked: a seed with an offset, or a generator, or neither.
struct RandomSource {
  std::optional<int64_t> seed;
  int64_t offset;
  const std::optional<at::Generator>& generator;
};

// A kernel runs with real tensors, so symbolic numbers have values: guard_int() reads them.
inline RandomSource random_source(const char* op, c10::Device device,
                                  const std::optional<c10::SymInt>& symbolic_seed,
                                  const c10::SymInt& symbolic_offset,
                                  const std::optional<at::Generator>& generator) {
  std::optional<int64_t> seed;
  if (symbolic_seed.has_value()) seed = symbolic_seed->guard_int(__FILE__, __LINE__);
  const int64_t offset = symbolic_offset.guard_int(__FILE__, __LINE__);
  TORCH_CHECK_VALUE(!seed.has_value() || *seed >= 0, "fastgan::", op,
                    ": expected 0 <= seed < 2**63, got ", *seed);
  TORCH_CHECK_VALUE(offset >= 0, "fastgan::", op, ": expected 0 <= offset < 2**63, got ", offset);
  TORCH_CHECK_VALUE(seed.has_value() || offset == 0, "fastgan::", op,
                    ": expected a seed with offset ", offset, ", got none");
  TORCH_CHECK_VALUE(!(seed.has_value() && generator.has_value()), "fastgan::", op,
                    ": expected seed or generator, got both");
  // A generator whose device has no index, as that of torch.Generator("cuda"), fits each of its
  // type. The CPU's tensors and generators may or may not have one.
  if (generator.has_value()) {
    const c10::Device own = generator->device();
    TORCH_CHECK(own.type() == device.type() &&
                    (device.is_cpu() || !own.has_index() || own.index() == device.index()),
                "fastgan::", op, ": expected a generator on ", device, ", got one on ", own);
  }
  return {seed, offset, generator};
}

// The explicit seed and offset. Else a draw from the given generator, or from torch's default one
// for the device, which advances as it does for torch's own dropout.
inline RandomState random_state(c10::Device device, const RandomSource& source) {
  RandomState state;
  if (source.seed.has_value()) {
    state.seed = static_cast<uint64_t>(*source.seed);
    state.offset = static_cast<uint64_t>(source.offset);
    return state;
  }
  if (device.is_cpu()) {
    auto* cpu = at::get_generator_or_default<at::CPUGeneratorImpl>(
        source.generator, at::detail::getDefaultCPUGenerator());
    std::lock_guard<std::mutex> lock(cpu->mutex_);
    state.seed = cpu->random64();
    return state;
  }
#ifdef FASTGAN_WITH_CUDA
  // The generator asks whether the current device's stream is capturing a graph.
  const c10::cuda::CUDAGuard guard(device);
  auto* cuda = at::get_generator_or_default<at::CUDAGeneratorImpl>(
      source.generator, at::cuda::detail::getDefaultCUDAGenerator(device.index()));
  std::lock_guard<std::mutex> lock(cuda->mutex_);
  const at::PhiloxCudaState philox = cuda->philox_cuda_state(kTorchWordsPerCounter);
  if (philox.captured_) {
    state.captured_seed = philox.seed_.ptr;
    state.captured_offset = philox.offset_.ptr;
    state.offset_in_graph = philox.offset_intragraph_;
  } else {
    state.seed = philox.seed_.val;
    state.offset = philox.offset_.val / kTorchWordsPerCounter;
  }
#endif
  return state;
}

}  // namespace fastgan

#pragma once

#include <torch/library.h>

// Registers a row: `on_devices(torch::Library&)` for tensors on the CPU and on CUDA, where that is
// compiled, and `on_meta` for those without memory. Stands once in a file, in namespace fastgan. A
// macro, as TORCH_LIBRARY_IMPL takes a dispatch key by its name.

#ifdef FASTGAN_WITH_CUDA
#define FASTGAN_REGISTER_CUDA(on_devices) \
  TORCH_LIBRARY_IMPL(fastgan, CUDA, m) { on_devices(m); }
#else
#define FASTGAN_REGISTER_CUDA(on_devices)
#endif

#define FASTGAN_REGISTER(on_devices, on_meta)            \
  TORCH_LIBRARY_IMPL(fastgan, CPU, m) { on_devices(m); } \
  TORCH_LIBRARY_IMPL(fastgan, Meta, m) { on_meta(m); }   \
  FASTGAN_REGISTER_CUDA(on_devices)

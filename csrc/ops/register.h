#pragma once

#include <torch/library.h>

// Registers a row's kernels for CPU, Meta (tensors without memory) and, if compiled, CUDA tensors:
// `register_row(torch::Library&)` for each. Stands once in a file, in namespace fastgan. It is a
// macro because TORCH_LIBRARY_IMPL takes the name of a dispatch key.

#ifdef FASTGAN_WITH_CUDA
#define FASTGAN_REGISTER_CUDA(register_row) \
  TORCH_LIBRARY_IMPL(fastgan, CUDA, m) { register_row(m); }
#else
#define FASTGAN_REGISTER_CUDA(register_row)
#endif

#define FASTGAN_REGISTER(register_row)                      \
  TORCH_LIBRARY_IMPL(fastgan, CPU, m) { register_row(m); }  \
  TORCH_LIBRARY_IMPL(fastgan, Meta, m) { register_row(m); } \
  FASTGAN_REGISTER_CUDA(register_row)

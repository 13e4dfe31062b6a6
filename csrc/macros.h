#pragma once

// The project's few macros. Two of them say how a function of csrc/math is compiled, so that a
// formula stands once and serves every device and instruction set:
//
//   FASTGAN_HD    a scalar function for the host and, under nvcc, the device
//   FASTGAN_MATH  a function of the current pass: a scalar one here; where foreach_isa.h of
//                 kernels/cpu compiles a file once for each instruction set, one that carries that
//                 set's target attribute
//   FASTGAN_PASS  the namespace of the current pass: `scalar` here, else the instruction set's name

#if defined(__CUDACC__)
#define FASTGAN_HD __host__ __device__ __forceinline__
#else
#define FASTGAN_HD inline
#endif

#ifndef FASTGAN_PASS
#define FASTGAN_PASS scalar
#define FASTGAN_MATH FASTGAN_HD
#endif

#if defined(__GNUC__)
#define FASTGAN_ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define FASTGAN_ALWAYS_INLINE inline
#endif

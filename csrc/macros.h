#pragma once

// The macros of the project that several files use.
//
// A formula of csrc/math is written once, as a template over V, a number or a vector of numbers. It
// is compiled once for scalars and once for each CPU instruction set. These two macros say which of
// them is being compiled. Here they have their values for scalars; kernels/cpu/foreach_isa.h gives
// them others while it compiles a file for an instruction set.
//
//   FASTGAN_ISA_NAMESPACE  `scalar`, or the instruction set's name
//   FASTGAN_MATH           before a function: for the host and, under nvcc, the device; or with the
//                          instruction set's target attribute, and always inlined

// Before a scalar function: for the host and, under nvcc, the device.
#if defined(__CUDACC__)
#define FASTGAN_HD __host__ __device__ __forceinline__
#else
#define FASTGAN_HD inline
#endif

#ifndef FASTGAN_ISA_NAMESPACE
#define FASTGAN_ISA_NAMESPACE scalar
#define FASTGAN_MATH FASTGAN_HD
#endif

#if defined(__GNUC__)
#define FASTGAN_ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define FASTGAN_ALWAYS_INLINE inline
#endif

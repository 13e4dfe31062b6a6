// Compiles a kernel file once for each CPU instruction set: Highway's foreach_target.h idiom. The
// kernel file includes this header once, and this header includes the kernel file back, once for
// each instruction set. So there is no include guard. A kernel file has this form:
//
//   #ifndef FASTGAN_ISA
//   #include ...                                   what does not depend on the instruction set
//   #define FASTGAN_THIS_FILE "kernels/cpu/X.cpp"
//   #include "kernels/cpu/foreach_isa.h"
//   ...                                            entry points: FASTGAN_DISPATCH(loop, arguments)
//   #else
//   #include "kernels/cpu/simd.h"
//   namespace fastgan {
//   namespace FASTGAN_ISA_NAMESPACE {
//   FASTGAN_TARGET void loop(...) ...              the loops, written once
//   }  // namespace FASTGAN_ISA_NAMESPACE
//   }  // namespace fastgan
//   #endif
//
// While the file is compiled for an instruction set:
//
//   FASTGAN_ISA            one of the numbers below
//   FASTGAN_ISA_NAMESPACE  portable, avx2 or avx512
//   FASTGAN_TARGET         the target attribute, for functions that FASTGAN_DISPATCH calls
//   FASTGAN_MATH           the same and always inlined, for the functions that these call
//
// Why not a template over the instruction set: an attribute cannot depend on a template argument,
// and a function without the attribute cannot inline the intrinsics. Why not a pragma: clang
// ignores gcc's. Why not compiler flags for a file: std:: functions compiled for AVX-512 could then
// be the ones linked, and run on processors without AVX-512.

#include "kernels/cpu/capability.h"

#define FASTGAN_ISA_DEFAULT 0
#define FASTGAN_ISA_AVX2 1
#define FASTGAN_ISA_AVX512 2

#undef FASTGAN_ISA_NAMESPACE
#undef FASTGAN_MATH
#define FASTGAN_MATH FASTGAN_TARGET FASTGAN_ALWAYS_INLINE

#define FASTGAN_ISA FASTGAN_ISA_DEFAULT
#define FASTGAN_ISA_NAMESPACE portable
#define FASTGAN_TARGET
#include FASTGAN_THIS_FILE
#undef FASTGAN_ISA
#undef FASTGAN_ISA_NAMESPACE
#undef FASTGAN_TARGET

#if defined(__x86_64__) && defined(__GNUC__)

#define FASTGAN_ISA FASTGAN_ISA_AVX2
#define FASTGAN_ISA_NAMESPACE avx2
#define FASTGAN_TARGET __attribute__((target("avx2,fma,f16c")))
#include FASTGAN_THIS_FILE
#undef FASTGAN_ISA
#undef FASTGAN_ISA_NAMESPACE
#undef FASTGAN_TARGET

#define FASTGAN_ISA FASTGAN_ISA_AVX512
#define FASTGAN_ISA_NAMESPACE avx512
#define FASTGAN_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#include FASTGAN_THIS_FILE
#undef FASTGAN_ISA
#undef FASTGAN_ISA_NAMESPACE
#undef FASTGAN_TARGET

#define FASTGAN_DISPATCH(function, ...)       \
  switch (capability()) {                     \
    case Capability::kAvx512:                 \
      return avx512::function(__VA_ARGS__);   \
    case Capability::kAvx2:                   \
      return avx2::function(__VA_ARGS__);     \
    default:                                  \
      return portable::function(__VA_ARGS__); \
  }

#else

#define FASTGAN_DISPATCH(function, ...) return portable::function(__VA_ARGS__)

#endif

// Scalars again, as in macros.h.
#undef FASTGAN_MATH
#define FASTGAN_ISA_NAMESPACE scalar
#define FASTGAN_MATH FASTGAN_HD

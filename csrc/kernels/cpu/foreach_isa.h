// No include guard: a kernel file of this folder includes this once, and is by it included once for
// each instruction set, as in
//
//   #ifndef FASTGAN_ISA
//   #include ...                                      what all passes share
//   #define FASTGAN_THIS_FILE "kernels/cpu/X.cpp"
//   #include "kernels/cpu/foreach_isa.h"
//   ... entry points that call FASTGAN_DISPATCH(function, arguments)
//   #else
//   #include "kernels/cpu/simd.h"
//   namespace fastgan { namespace FASTGAN_PASS { FASTGAN_TARGET ... the loops, written once ... } }
//   #endif
//
// A template over the instruction set would be shorter, but an attribute cannot depend on a
// template's argument, and a function without the attribute can't inline the intrinsics. Pragmas
// would do for gcc, but clang ignores gcc's, and flags a file would give std:: functions compiled
// for AVX-512 to processors without it.

#include "kernels/cpu/capability.h"

#define FASTGAN_ISA_DEFAULT 0
#define FASTGAN_ISA_AVX2 1
#define FASTGAN_ISA_AVX512 2

#undef FASTGAN_PASS
#undef FASTGAN_MATH
#define FASTGAN_MATH FASTGAN_TARGET FASTGAN_ALWAYS_INLINE

#define FASTGAN_ISA FASTGAN_ISA_DEFAULT
#define FASTGAN_PASS portable
#define FASTGAN_TARGET
#include FASTGAN_THIS_FILE
#undef FASTGAN_ISA
#undef FASTGAN_PASS
#undef FASTGAN_TARGET

#if defined(__x86_64__) && defined(__GNUC__)

#define FASTGAN_ISA FASTGAN_ISA_AVX2
#define FASTGAN_PASS avx2
#define FASTGAN_TARGET __attribute__((target("avx2,fma,f16c")))
#include FASTGAN_THIS_FILE
#undef FASTGAN_ISA
#undef FASTGAN_PASS
#undef FASTGAN_TARGET

#define FASTGAN_ISA FASTGAN_ISA_AVX512
#define FASTGAN_PASS avx512
#define FASTGAN_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#include FASTGAN_THIS_FILE
#undef FASTGAN_ISA
#undef FASTGAN_PASS
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

#undef FASTGAN_MATH
#define FASTGAN_PASS scalar
#define FASTGAN_MATH FASTGAN_HD

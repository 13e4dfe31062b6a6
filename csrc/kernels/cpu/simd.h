// The vector types of the current instruction set; included by a kernel file once a pass
// (foreach_isa.h), so no guard. Each of the three headers defines, in its own namespace:
//
// clang-format off
//   Floats, Doubles             16 and 8 lanes, + - * /; with kLanes, Scalar and Mask
//   broadcast<V>(number)        the number in every lane
//   load(T*), store(T*, V)      any alignment; halves are widened, and rounded to nearest even
//   stream(T*, V)               a store past the caches, at a multiple of 64 bytes, where that can be
//   finish_streaming()          at the end of such stores
//   greater, less_equal, equal  ordered comparisons, false where a lane is NaN
//   select, zero_unless         by mask; zero_unless gives exact zeros
//   negative_absolute, mask_and, mask_and_not
//   multiply_add                a * b + c, with one rounding where the processor can
//   at_least(limit, a)          NaN where a is; floats only, as are the next four
//   round_to_even               to an integer
//   scale_by_power(a, n)        a * 2^n for an integer n <= 0; below n = -126, 0 or denormal
//   split_power(a, &k)          m between sqrt(1/2) and sqrt(2) with a = m * 2^k, of normal a > 0
//   widened_sum                 Floats to Doubles: lane i is the sum of lanes i and i + 8
//   mask_from_bits<V>(bytes)    a mask from kLanes / 8 bytes of a plane, and
//   store_bits(bytes, mask)     back
//   keep_block(...)             the decisions of 16 octets
// clang-format on
//
// FASTGAN_MATH carries the target attribute. Lambdas do not inherit it: use none on this path.

#include "kernels/cpu/simd_common.h"
#if FASTGAN_ISA == FASTGAN_ISA_AVX512
#include "kernels/cpu/simd_avx512.h"
#include "kernels/cpu/words_avx512.h"
#elif FASTGAN_ISA == FASTGAN_ISA_AVX2
#include "kernels/cpu/simd_avx2.h"
#include "kernels/cpu/words_avx2.h"
#else
#include "kernels/cpu/simd_portable.h"
#endif
#if FASTGAN_ISA != FASTGAN_ISA_DEFAULT
#include "kernels/cpu/keep_block.h"
#endif

namespace fastgan {
namespace FASTGAN_PASS {

// The vector in which T is computed.
template <class T>
using VectorOf = typename VectorFor<T, Floats, Doubles>::type;

}  // namespace FASTGAN_PASS
}  // namespace fastgan

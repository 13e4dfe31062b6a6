// The vector types of the instruction set that is being compiled (foreach_isa.h), and functions of
// them. Included once for each instruction set, so there is no include guard. The namespace
// FASTGAN_ISA_NAMESPACE then has:
//
// clang-format off
//   Floats, Doubles             16 and 8 lanes, + - * /; with kLanes, Scalar and Mask
//   VectorOf<T>                 the one of them in which tensors of T are computed
//   broadcast<V>(number)        the number in every lane
//   load(T*), store(T*, V)      any alignment; halves are converted, rounding to nearest even
//   numbers_of<V>(words)        kLanes 32-bit words as unsigned integers, rounded to nearest
//   stream(T*, V)               store past the caches if the processor can; multiples of 64 bytes
//   finish_streaming()          call after a series of stream()
//   greater, less_equal, equal  false where a lane is NaN
//   select, zero_unless         by mask; zero_unless gives exact zeros
//   negative_absolute, mask_and, mask_and_not
//   multiply_add                a * b + c, with one rounding where the processor has FMA
//   at_least(limit, a)          max(limit, a), NaN where a is NaN; Floats only, like the four below
//   round_to_even               to an integer
//   scale_by_power(a, n)        a * 2^n for an integer n <= 0; below n = -126, 0 or a denormal
//   split_power(a, &k)          m between sqrt(1/2) and sqrt(2) with a = m * 2^k, for normal a > 0
//   widened_sum                 Floats to Doubles: lane i is the sum of lanes i and i + 8
//   mask_from_bits<V>(bytes)    a mask from kLanes / 8 bytes of a plane
//   store_bits(bytes, mask)     a mask to kLanes / 8 bytes of a plane
//   keep_block(...)             dropout's decisions for 16 octets
//   draw_rows(...)              the random words of four entries of 16 rows (math/column_noise.h)
//   exp_nonpositive, log_of ... exp_log.h
// clang-format on
//
// Functions carry FASTGAN_MATH. A lambda does not inherit its target attribute: use none here.

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
#include "kernels/cpu/exp_log.h"

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

template <class T>
using VectorOf = typename VectorFor<T, Floats, Doubles>::type;

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan

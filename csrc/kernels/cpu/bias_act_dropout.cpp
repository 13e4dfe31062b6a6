#ifndef FASTGAN_ISA

#include "kernels/bias_act_dropout.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <cstring>

#include "kernels/cpu/simd_common.h"

namespace fastgan {
namespace {

constexpr uint8_t kAllKept[kBlockOctets] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                            0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

// Vectors are loaded in pairs before the first of them is stored. The backward over 4.2 M floats
// then runs at memcpy's speed: 0.15 ns an element, with single vectors 0.30 (AMD EPYC Zen 5, one
// thread, gcc 12, 2026-11-20).
constexpr int kPair = 2;

// Writes the table's entry of each of the next `count` elements of the walk to `out`.
template <class S>
void expand(const S* table, ChannelWalk& walk, int64_t count, S* out) {
  const bool innermost = walk.table.channel_stride == 1;
  while (count > 0) {
    const int64_t run = std::min(count, innermost ? walk.consecutive_entries() : walk.run());
    if (innermost) {
      std::memcpy(out, table + walk.entry(), run * sizeof(S));
      walk.advance_consecutive(run);
    } else {
      std::fill_n(out, run, table[walk.entry()]);
      walk.advance(run);
    }
    out += run;
    count -= run;
  }
}

// The same for feature maps' keep decisions, as one bit for each element.
void expand_bits(const uint8_t* map_keep, ChannelWalk& walk, int64_t count, uint8_t* octets) {
  if (walk.run() >= count) {  // one map
    std::memset(octets, map_keep[walk.entry()] != 0 ? 0xFF : 0, kBlockOctets);
    walk.advance(count);
    return;
  }
  alignas(64) uint8_t bytes[kBlock] = {};
  expand(map_keep, walk, count, bytes);
  for (int octet = 0; octet < kBlockOctets; ++octet) {
    // Eight bytes of 0 or 1 become eight bits: byte i, at bit 8 i, times 2^(56 - 7 i) lands at bit
    // 56 + i. No other product reaches the top byte or carries into it.
    uint64_t word;
    std::memcpy(&word, bytes + octet * kOctet, sizeof(word));
    octets[octet] = static_cast<uint8_t>((word * 0x0102040810204080u) >> 56);
  }
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "expand_bits reads bytes lowest first");

}  // namespace
}  // namespace fastgan

#define FASTGAN_THIS_FILE "kernels/cpu/bias_act_dropout.cpp"
#include "kernels/cpu/foreach_isa.h"

namespace fastgan {

template <class T>
void run_cpu(const BiasActDropoutForward<T>& params, int64_t first, int64_t last) {
  FASTGAN_DISPATCH(forward, params, first, last);
}

template <class T>
void run_cpu(const BiasActDropoutBackward<T>& params, int64_t first, int64_t last) {
  FASTGAN_DISPATCH(backward, params, first, last);
}

void run_cpu(const DrawMaps& params, int64_t first, int64_t last) {
  FASTGAN_DISPATCH(draw_maps, params, first, last);
}

template void run_cpu(const BiasActDropoutForward<float>&, int64_t, int64_t);
template void run_cpu(const BiasActDropoutForward<double>&, int64_t, int64_t);
template void run_cpu(const BiasActDropoutForward<c10::Half>&, int64_t, int64_t);
template void run_cpu(const BiasActDropoutForward<c10::BFloat16>&, int64_t, int64_t);
template void run_cpu(const BiasActDropoutBackward<float>&, int64_t, int64_t);
template void run_cpu(const BiasActDropoutBackward<double>&, int64_t, int64_t);
template void run_cpu(const BiasActDropoutBackward<c10::Half>&, int64_t, int64_t);
template void run_cpu(const BiasActDropoutBackward<c10::BFloat16>&, int64_t, int64_t);

}  // namespace fastgan

#else

#include "kernels/cpu/simd.h"
#include "math/activation.h"

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

template <class V>
FASTGAN_MATH ActivationFactors<V> broadcast_factors(
    const ActivationFactors<typename V::Scalar>& factors) {
  return {broadcast<V>(factors.zero),
          broadcast<V>(factors.positive),
          broadcast<V>(factors.nonpositive),
          broadcast<V>(factors.clamp),
          broadcast<V>(factors.scale),
          factors.zero_slope,
          factors.has_clamp};
}

// The walks of the two tables, at the current block.
struct Walks {
  ChannelWalk bias, maps;
};

// Whether to store past the caches, which saves reading the cache lines that are overwritten: for
// large results that do not overwrite the input. Leaky ReLU and dropout, forward and backward over
// 4.2 M floats, take 1.23 ms (else 1.56), the backward over 33.5 M 5.5 to 6.3 ms (else 8.9) (AMD
// EPYC, 2 threads and 1, gcc 12, 2026-11-20).
template <class T>
bool streams(const T* from, const T* to, int64_t elements) {
  constexpr int64_t kLarge = int64_t{1} << 23;  // bytes
  return from != to && elements * static_cast<int64_t>(sizeof(T)) >= kLarge &&
         reinterpret_cast<uintptr_t>(to) % 64 == 0;
}

// Leaky ReLU and a gain alone: no bias, no clamp, no dropout.
template <class T>
bool is_lone_activation(const BiasActDropoutForward<T>& params) {
  return params.bias == nullptr && params.map_keep == nullptr && params.threshold == 0 &&
         !params.factors.has_clamp;
}

// One whole block of 16 octets. The caller pads the tensor's last block; the first `count` elements
// are the tensor's. `lone` drops the stages that is_lone_activation() has not.
template <bool streaming, bool lone, class T>
FASTGAN_MATH void forward_block(const BiasActDropoutForward<T>& params,
                                ActivationFactors<VectorOf<T> > factors, RandomKey random,
                                Walks& walks, int64_t octet, int64_t count, const T* x, T* y,
                                uint8_t* active, uint8_t* positive) {
  using V = VectorOf<T>;
  alignas(64) uint8_t drawn[kBlockOctets];
  alignas(64) typename V::Scalar bias[kBlock];
  const uint8_t* keep = drawn;
  if (lone) {
    factors.has_clamp = false;
    active = nullptr;
    keep = kAllKept;
  } else if (params.map_keep != nullptr) {
    expand_bits(params.map_keep, walks.maps, count, drawn);
  } else if (params.threshold > 0) {
    keep_block(random, octet, params.threshold, drawn);
  } else {
    keep = kAllKept;
  }
  const bool has_bias = !lone && params.bias != nullptr;
  if (has_bias) {
    expand(params.bias, walks.bias, count, bias);
    std::fill(bias + count, bias + kBlock, 0);
  }
  for (int i = 0; i < kBlock; i += kPair * V::kLanes) {
    V value[kPair];
    for (int k = 0; k < kPair; ++k) value[k] = load(x + i + k * V::kLanes);
    for (int k = 0; k < kPair; ++k) {
      const int at = i + k * V::kLanes;
      if (has_bias) value[k] = value[k] + load(bias + at);
      const auto result = activate(value[k], mask_from_bits<V>(keep + at / kOctet), factors);
      if (streaming) {
        stream(y + at, result.value);
      } else {
        store(y + at, result.value);
      }
      if (active != nullptr) store_bits(active + at / kOctet, result.active);
      if (positive != nullptr) store_bits(positive + at / kOctet, result.positive);
    }
  }
}

template <bool streaming, bool lone, class T>
FASTGAN_TARGET void forward_blocks(const BiasActDropoutForward<T>& caller_params,
                                   const ActivationFactors<VectorOf<T> >& factors, RandomKey random,
                                   Walks& walks, int64_t first, int64_t last) {
  // A local copy: the compiler need not reload its fields after stores through uint8_t pointers,
  // which may alias anything.
  const BiasActDropoutForward<T> params = caller_params;
  for (int64_t octet = first; octet < last; octet += kBlockOctets) {
    forward_block<streaming, lone>(params, factors, random, walks, octet, kBlock,
                                   params.x + octet * kOctet, params.y + octet * kOctet,
                                   params.active ? params.active + octet : nullptr,
                                   params.positive ? params.positive + octet : nullptr);
  }
  if (streaming) finish_streaming();
}

template <class T>
FASTGAN_TARGET void forward(const BiasActDropoutForward<T>& params, int64_t first, int64_t last) {
  const auto factors = broadcast_factors<VectorOf<T> >(params.factors);
  const RandomKey random = random_key(params.random);
  const int64_t whole = std::min(last, params.elements / kBlock * kBlockOctets);
  Walks walks{{params.bias_channels, first * kOctet}, {params.maps, first * kOctet}};
  const bool streaming = streams(params.x, params.y, params.elements);
  const auto forward_whole =
      is_lone_activation(params)
          ? (streaming ? forward_blocks<true, true, T> : forward_blocks<false, true, T>)
          : (streaming ? forward_blocks<true, false, T> : forward_blocks<false, false, T>);
  forward_whole(params, factors, random, walks, first, whole);
  const int64_t octet = std::max(first, whole);
  if (octet >= last) return;
  T block[kBlock] = {};
  uint8_t active[kBlockOctets], positive[kBlockOctets];
  const int64_t count = params.elements - octet * kOctet;
  std::copy_n(params.x + octet * kOctet, count, block);
  forward_block<false, false>(params, factors, random, walks, octet, count, block, block, active,
                              positive);
  std::copy_n(block, count, params.y + octet * kOctet);
  for (int64_t i = 0; octet + i < last; ++i) {
    const uint8_t inside = octet_bits_below(octet + i, params.elements);
    if (params.active != nullptr) params.active[octet + i] = active[i] & inside;
    if (params.positive != nullptr) params.positive[octet + i] = positive[i] & inside;
  }
}

template <bool streaming, class T>
FASTGAN_MATH void backward_block(const ActivationFactors<VectorOf<T> >& factors, const T* grad,
                                 T* grad_input, const uint8_t* active, const uint8_t* positive) {
  using V = VectorOf<T>;
  for (int i = 0; i < kBlock; i += kPair * V::kLanes) {
    V value[kPair];
    for (int k = 0; k < kPair; ++k) value[k] = load(grad + i + k * V::kLanes);
    for (int k = 0; k < kPair; ++k) {
      const int at = i + k * V::kLanes;
      const V result = activate_backward(value[k], mask_from_bits<V>(active + at / kOctet),
                                         mask_from_bits<V>(positive + at / kOctet), factors);
      if (streaming) {
        stream(grad_input + at, result);
      } else {
        store(grad_input + at, result);
      }
    }
  }
}

template <bool streaming, class T>
FASTGAN_TARGET void backward_blocks(const BiasActDropoutBackward<T>& caller_params,
                                    const ActivationFactors<VectorOf<T> >& factors, int64_t first,
                                    int64_t last) {
  const BiasActDropoutBackward<T> params = caller_params;  // see forward_blocks
  for (int64_t octet = first; octet < last; octet += kBlockOctets) {
    backward_block<streaming>(factors, params.grad + octet * kOctet,
                              params.grad_input + octet * kOctet,
                              params.active ? params.active + octet : kAllKept,
                              params.positive ? params.positive + octet : kAllKept);
  }
  if (streaming) finish_streaming();
}

template <class T>
FASTGAN_TARGET void backward(const BiasActDropoutBackward<T>& params, int64_t first, int64_t last) {
  const auto factors = broadcast_factors<VectorOf<T> >(params.factors);
  const int64_t whole = std::min(last, params.elements / kBlock * kBlockOctets);
  const auto backward_whole = streams(params.grad, params.grad_input, params.elements)
                                  ? backward_blocks<true, T>
                                  : backward_blocks<false, T>;
  backward_whole(params, factors, first, whole);
  const int64_t octet = std::max(first, whole);
  if (octet >= last) return;
  T block[kBlock] = {};
  uint8_t active[kBlockOctets] = {}, positive[kBlockOctets] = {};
  const int64_t count = params.elements - octet * kOctet;
  std::copy_n(params.grad + octet * kOctet, count, block);
  std::copy_n(params.active ? params.active + octet : kAllKept, last - octet, active);
  std::copy_n(params.positive ? params.positive + octet : kAllKept, last - octet, positive);
  backward_block<false>(factors, block, block, active, positive);
  std::copy_n(block, count, params.grad_input + octet * kOctet);
}

FASTGAN_TARGET inline void draw_maps(const DrawMaps& params, int64_t first, int64_t last) {
  const RandomKey random = random_key(params.random);
  uint8_t keep[kBlockOctets];
  for (int64_t octet = first; octet < last; octet += kBlockOctets) {
    keep_block(random, octet, params.threshold, keep);
    const int64_t count = std::min<int64_t>(kBlock, params.maps - octet * kOctet);
    for (int64_t i = 0; i < count; ++i) {
      params.map_keep[octet * kOctet + i] = (keep[i / kOctet] >> (i % kOctet)) & 1;
    }
  }
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan

#endif

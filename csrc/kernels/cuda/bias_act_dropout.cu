#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <type_traits>

#include "kernels/bias_act_dropout.h"
#include "kernels/cuda/bias_act_dropout_octet.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tile.cuh"
#include "kernels/cuda/tile_bias.cuh"
#include "math/packed.h"

// T is the tensor's type. The forward has three kernels:
//
//   forward_plain   tiles, for an activation with or without dropout: what most layers are
//   forward_tiles   tiles, for every stage but feature-map dropout
//   forward_octets  a thread an octet, for the rest: tensors whose address no 16-byte access may
//                   use, feature-map dropout, and a bias whose channels change within a few
//                   elements
//
// The backward has the last two. .ci/hot_paths.py limits what their hot paths issue.

namespace fastgan {
namespace {

// Registers: 64.
template <class T, bool tables>
__global__ void __launch_bounds__(kThreads)
    forward_octets(BiasActDropoutForward<T> params, bool aligned) {
  const int64_t octets = octets_of(params.elements);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const RandomKey random = random_key(params.random);
  for (int64_t octet = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; octet < octets;
       octet += stride) {
    forward_octet<T, tables>(params, random, octet, aligned);
  }
}

// The draws of the octet that a lane owns in row `row`; `owned` is that of row 0. Tiles begin at
// multiples of their size, so their octets have one upper half.
__device__ __forceinline__ PhiloxBlock draw_owned(const RandomKey& random, int64_t owned, int row) {
  return draw_octet(random, static_cast<uint32_t>(owned) + row * kWarp,
                    static_cast<uint32_t>(owned >> 32));
}

// Activates an octet of halves without a clamp: y = x * factor, where x > 0 chooses the factor.
template <bool relu, class T>
__device__ __forceinline__ StateBytes activate_halves(ChunkWords& chunk, const uint32_t (&keep)[4],
                                                      const ActivationFactors<float>& factors) {
  uint32_t positive[4];
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    uint32_t x = chunk.word[k];
    positive[k] = mask_of_positive<T>(x);
    if (relu) x = at_least_zero<T>(x);
    const float first = Pair<T>::first(x), second = Pair<T>::second(x);
    uint32_t y = rounded_pair<T>(first * factors.positive, second * factors.positive);
    if (!relu) {
      y = select_bits(positive[k], y,
                      rounded_pair<T>(first * factors.nonpositive, second * factors.nonpositive));
    }
    chunk.word[k] = y & keep[k];
  }
  return {byte_of_masks(keep), byte_of_masks(positive)};
}

// Activates part k of a lane, whose keep decisions start at bit 8 k; adds its bits to `state`.
template <int width, class S>
__device__ __forceinline__ void activate_part(S (&value)[width], uint32_t keep, int k,
                                              const ActivationFactors<S>& factors,
                                              StateBytes& state) {
#pragma unroll
  for (int i = 0; i < width; ++i) {
    const uint32_t bit = 1u << (8 * k + i);
    const auto result = scalar::activate(value[i], (keep & bit) != 0, factors);
    value[i] = result.value;
    if (result.active) state.active |= bit;
    if (result.positive) state.positive |= bit;
  }
}

// Registers: 64, double 80.
template <class T, bool drawn, bool relu>
__global__ void __launch_bounds__(kThreads) forward_plain(BiasActDropoutForward<T> params) {
  using Lane = TileLane<T>;
  constexpr bool halves = sizeof(T) == 2;
  const Lane lane;
  const RandomKey random = random_key(params.random);
  ActivationFactors<Arithmetic<T>> factors = params.factors;
  factors.zero_slope = relu;
  factors.has_clamp = false;
  const auto of_tile = [&](int64_t first) {
    std::conditional_t<halves, ChunkWords, Chunk<T>> piece[kTileRows][Lane::kParts];
    load_rows(params.x, lane, first, piece);
    const int64_t owned = lane.owned(first);
#pragma unroll
    for (int row = 0; row < kTileRows; ++row) {
      PhiloxBlock block;
      if (drawn) block = draw_owned(random, owned, row);
      StateBytes state{0, 0};
      if constexpr (halves) {
        uint32_t keep[4] = {~0u, ~0u, ~0u, ~0u};
        if (drawn) keep_masks(block, params.threshold, keep);
        state = activate_halves<relu, T>(piece[row][0], keep, factors);
      } else {
        const uint32_t keep = drawn ? keep_bits(block, params.threshold) : 0xFFu;
        const uint32_t bits = lane.bits_of_parts(keep);
#pragma unroll
        for (int k = 0; k < Lane::kParts; ++k)
          activate_part(piece[row][k].lane, bits, k, factors, state);
        state = {keep, lane.byte_of_owned(state.positive)};
      }
      store_row(params.y, lane, first, row, piece[row]);
      store_state(params, owned + row * kWarp, state);
    }
  };
  for_tiles(params.elements, of_tile,
            [&](int64_t octet) { forward_octet<T, false>(params, random, octet, true); });
}

// Registers: 72, double 80.
template <class T, BiasOrder order>
__global__ void __launch_bounds__(kThreads)
    forward_tiles(BiasActDropoutForward<T> params, TileBias table) {
  using S = Arithmetic<T>;
  using Lane = TileLane<T>;
  const Lane lane;
  const RandomKey random = random_key(params.random);
  ActivationFactors<S> unclamped = params.factors;
  unclamped.has_clamp = false;
  const auto of_tile = [&](int64_t first) {
    Chunk<T> chunk[kTileRows][Lane::kParts];
    load_rows(params.x, lane, first, chunk);
    const int64_t owned = lane.owned(first);
#pragma unroll
    for (int row = 0; row < kTileRows; ++row) {
      uint32_t keep = 0xFFu;
      if (params.threshold > 0) keep = keep_bits(draw_owned(random, owned, row), params.threshold);
      const uint32_t bits = lane.bits_of_parts(keep);
      StateBytes parts{0, 0};
#pragma unroll
      for (int k = 0; k < Lane::kParts; ++k) {
        S value[Lane::kWidth];
#pragma unroll
        for (int i = 0; i < Lane::kWidth; ++i) value[i] = static_cast<S>(chunk[row][k].lane[i]);
        add_bias<order>(params.bias, table,
                        static_cast<uint32_t>(lane.chunk(first, row, k)) * Lane::kWidth, value);
        if (params.factors.has_clamp) {
          activate_part(value, bits, k, params.factors, parts);
        } else {
          activate_part(value, bits, k, unclamped, parts);
        }
#pragma unroll
        for (int i = 0; i < Lane::kWidth; ++i) chunk[row][k].lane[i] = static_cast<T>(value[i]);
      }
      store_row(params.y, lane, first, row, chunk[row]);
      store_state(params, owned + row * kWarp,
                  {lane.byte_of_owned(parts.active), lane.byte_of_owned(parts.positive)});
    }
  };
  for_tiles(params.elements, of_tile, [&](int64_t octet) {
    forward_octet<T, order != BiasOrder::kNone>(params, random, octet, true);
  });
}

// Registers: 32, double 40.
template <class T>
__global__ void __launch_bounds__(kThreads)
    backward_octets(BiasActDropoutBackward<T> params, bool aligned) {
  const int64_t octets = octets_of(params.elements);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t octet = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; octet < octets;
       octet += stride) {
    backward_octet(params, octet, aligned);
  }
}

// Registers: 40, double 64.
template <class T>
__global__ void __launch_bounds__(kThreads) backward_tiles(BiasActDropoutBackward<T> params) {
  using S = Arithmetic<T>;
  using Lane = TileLane<T>;
  const Lane lane;
  // With a slope of 0, gradient flows where both planes are set: one operation for an octet.
  const uint32_t ignore_positive = params.factors.zero_slope ? 0u : 0xFFu;
  ActivationFactors<S> factors = params.factors;
  factors.zero_slope = false;
  const auto of_tile = [&](int64_t first) {
    const int64_t owned = lane.owned(first);
    Chunk<T> chunk[kTileRows][Lane::kParts];
    uint32_t active[kTileRows], positive[kTileRows];
#pragma unroll
    for (int row = 0; row < kTileRows; ++row) {
      active[row] = params.active != nullptr ? params.active[owned + row * kWarp] : 0xFFu;
      positive[row] = params.positive != nullptr ? params.positive[owned + row * kWarp] : 0xFFu;
    }
    load_rows(params.grad, lane, first, chunk);
#pragma unroll
    for (int row = 0; row < kTileRows; ++row) {
      const uint32_t flows_byte = active[row] & (positive[row] | ignore_positive);
      const uint32_t factor = lane.bits_of_parts(positive[row]);
      const uint32_t flows = lane.bits_of_parts(flows_byte);
#pragma unroll
      for (int k = 0; k < Lane::kParts; ++k) {
#pragma unroll
        for (int i = 0; i < Lane::kWidth; ++i) {
          const uint32_t bit = 1u << (8 * k + i);
          const S grad =
              scalar::activate_backward(static_cast<S>(chunk[row][k].lane[i]), (flows & bit) != 0,
                                        (factor & bit) != 0, factors);
          chunk[row][k].lane[i] = static_cast<T>(grad);
        }
      }
      store_row(params.grad_input, lane, first, row, chunk[row]);
    }
  };
  for_tiles(params.elements, of_tile, [&](int64_t octet) { backward_octet(params, octet, true); });
}

// Registers: 32.
__global__ void __launch_bounds__(kThreads) draw_maps(DrawMaps params) {
  const int64_t octets = octets_of(params.maps);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const RandomKey random = random_key(params.random);
  for (int64_t octet = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; octet < octets;
       octet += stride) {
    const uint32_t keep = keep_octet(random, octet, params.threshold);
    for (int i = 0; i < kOctet && octet * kOctet + i < params.maps; ++i) {
      params.map_keep[octet * kOctet + i] = static_cast<uint8_t>((keep >> i) & 1u);
    }
  }
}

template <class T>
auto plain_kernel(bool drawn, bool relu) {
  if (drawn) return relu ? forward_plain<T, true, true> : forward_plain<T, true, false>;
  return relu ? forward_plain<T, false, true> : forward_plain<T, false, false>;
}

template <class T>
auto tiles_kernel(BiasOrder order) {
  return order == BiasOrder::kRuns   ? forward_tiles<T, BiasOrder::kRuns>
         : order == BiasOrder::kRows ? forward_tiles<T, BiasOrder::kRows>
                                     : forward_tiles<T, BiasOrder::kNone>;
}

}  // namespace

template <class T>
void run_cuda(const BiasActDropoutForward<T>& params, CUstream_st* stream) {
  constexpr const char* kName = "bias_act_dropout";
  const int64_t octets = octets_of(params.elements);
  const bool aligned = aligned16(params.x) && aligned16(params.y);
  const TileBias table =
      TileBias::of(params.bias, params.bias_channels, params.elements, TileLane<T>::kWidth);
  if (!aligned || params.map_keep != nullptr || table.order == BiasOrder::kWalk) {
    const bool tables = params.bias != nullptr || params.map_keep != nullptr;
    return launch(kName, tables ? forward_octets<T, true> : forward_octets<T, false>,
                  blocks_for(octets), stream, params, aligned);
  }
  const bool plain = params.bias == nullptr && !params.factors.has_clamp;
  if (plain && params.threshold < kThresholdOne) {
    return launch(kName, plain_kernel<T>(params.threshold > 0, params.factors.zero_slope),
                  blocks_for_tiles(octets), stream, params);
  }
  launch(kName, tiles_kernel<T>(table.order), blocks_for_tiles(octets), stream, params, table);
}

template <class T>
void run_cuda(const BiasActDropoutBackward<T>& params, CUstream_st* stream) {
  constexpr const char* kName = "bias_act_dropout_backward";
  const int64_t octets = octets_of(params.elements);
  const bool aligned = aligned16(params.grad) && aligned16(params.grad_input);
  if (!aligned) {
    return launch(kName, backward_octets<T>, blocks_for(octets), stream, params, aligned);
  }
  launch(kName, backward_tiles<T>, blocks_for_tiles(octets), stream, params);
}

void run_cuda(const DrawMaps& params, CUstream_st* stream) {
  launch("bias_act_dropout", draw_maps, blocks_for(octets_of(params.maps)), stream, params);
}

template void run_cuda(const BiasActDropoutForward<float>&, CUstream_st*);
template void run_cuda(const BiasActDropoutForward<double>&, CUstream_st*);
template void run_cuda(const BiasActDropoutForward<c10::Half>&, CUstream_st*);
template void run_cuda(const BiasActDropoutForward<c10::BFloat16>&, CUstream_st*);
template void run_cuda(const BiasActDropoutBackward<float>&, CUstream_st*);
template void run_cuda(const BiasActDropoutBackward<double>&, CUstream_st*);
template void run_cuda(const BiasActDropoutBackward<c10::Half>&, CUstream_st*);
template void run_cuda(const BiasActDropoutBackward<c10::BFloat16>&, CUstream_st*);

}  // namespace fastgan

#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/channels.h"
#include "kernels/cuda/octet_io.cuh"
#include "math/divisor.h"

// How a part of a tile (tile.cuh) finds its bias with two divisions for all of its elements, in
// place of a walk from one element to the next.

namespace fastgan {

enum class BiasOrder {
  kNone,  // there is no bias
  kRuns,  // a channel's elements lie side by side, so many that a part has at most two channels
  kRows,  // a channel's elements lie apart, and a part's channels side by side, as in [N, F]
  kWalk,  // anything else: no tiles
};

struct TileBias {
  BiasOrder order = BiasOrder::kNone;
  Divisor run, channels;     // elements of a run, and channels
  bool whole_parts = false;  // kRows: a part's numbers are adjacent, and aligned for 16-byte access

  template <class S>
  static TileBias of(const S* bias, const Channels& table, int64_t elements, int width) {
    TileBias result;
    if (bias == nullptr) return result;
    const bool rows = table.channel_stride == 1 && table.channels >= width;
    if (elements > Divisor::kMost || (!rows && table.channel_stride < width)) {
      result.order = BiasOrder::kWalk;
      return result;
    }
    result.order = rows ? BiasOrder::kRows : BiasOrder::kRuns;
    // A dimension of size 1 may have any stride; beyond the tensor's end it makes no difference.
    result.run = Divisor(std::min(table.channel_stride, Divisor::kMost));
    result.channels = Divisor(table.channels);
    result.whole_parts = table.channels % width == 0 && aligned16(bias);
    return result;
  }
};

// Adds the bias to a part, which begins at `element` of the tensor.
template <BiasOrder order, int width, class S>
__device__ __forceinline__ void add_bias(const S* bias, const TileBias& table, uint32_t element,
                                         S (&value)[width]) {
  if constexpr (order == BiasOrder::kRuns) {
    const uint32_t run = table.run.quotient(element);
    const uint32_t left = table.run.divisor - (element - run * table.run.divisor);
    const uint32_t channel = run - table.channels.quotient(run) * table.channels.divisor;
    const uint32_t next = channel + 1 == table.channels.divisor ? 0 : channel + 1;
    const S first = bias[channel], second = bias[next];
#pragma unroll
    for (uint32_t i = 0; i < width; ++i) value[i] += i < left ? first : second;
  }
  if constexpr (order == BiasOrder::kRows) {
    const uint32_t channels = table.channels.divisor;
    const uint32_t channel = element - table.channels.quotient(element) * channels;
    if (table.whole_parts) {
      constexpr int kLanes = Chunk<S>::kLanes;
#pragma unroll
      for (int c = 0; c < width / kLanes; ++c) {
        const Chunk<S> chunk = reinterpret_cast<const Chunk<S>*>(bias + channel)[c];
#pragma unroll
        for (int i = 0; i < kLanes; ++i) value[c * kLanes + i] += chunk.lane[i];
      }
      return;
    }
#pragma unroll
    for (uint32_t i = 0; i < width; ++i) {
      const uint32_t place = channel + i;
      value[i] += bias[place >= channels ? place - channels : place];
    }
  }
}

}  // namespace fastgan

#pragma once

#include <cstdint>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/octet_io.cuh"

// A TILE is what a warp works on at a time: kTileRows ROWS of 32 octets. A row is cut into chunks
// of 16 bytes, which the lanes take in turn, so every access of the warp covers memory without
// gaps. (A lane that takes whole octets of floats leaves gaps of 16 bytes, and each store then
// writes half of every 32-byte sector.) If an octet is several chunks, as many adjacent lanes hold
// a PART of each of as many octets. Each of these lanes OWNS one of the octets: it draws the
// octet's bits and stores its state. The lanes exchange both.
//
// A lane issues all loads of a tile before it draws, so that the draws hide the memory's latency.

namespace fastgan {

constexpr int kWarp = 32;
constexpr int kTileRows = 2;
constexpr int kTileOctets = kTileRows * kWarp;
constexpr int kBlockTiles = kThreads / kWarp;

template <class T>
class TileLane {
 public:
  static constexpr int kWidth = Chunk<T>::kLanes;    // elements of a part
  static constexpr int kParts = kOctet / kWidth;     // of an octet
  static constexpr int kRowChunks = kWarp * kParts;  // of a row

  __device__ __forceinline__ TileLane()
      : lane_(static_cast<int>(threadIdx.x % kWarp)), part_(lane_ % kParts) {}

  // This lane's part k of row `row` of the tile that begins at octet `first`, as the index of a
  // chunk of the tensor.
  __device__ __forceinline__ int64_t chunk(int64_t first, int row, int k) const {
    return first * kParts + lane_ + (row * kRowChunks + k * kWarp);
  }

  // The octet that this lane owns in row 0 of the tile; in the next rows it is kWarp further on.
  __device__ __forceinline__ int64_t owned(int64_t first) const {
    return first + (part_ * (kWarp / kParts) + lane_ / kParts);
  }

  // From the owned octet's byte to bits for this lane's parts: bit 8 k + i for element i of part k.
  __device__ __forceinline__ uint32_t bits_of_parts(uint32_t byte) const {
    if constexpr (kParts == 1) return byte;
    return over_parts(byte << (8 * part_)) >> (kWidth * part_);
  }

  // And back. Other bits than those above must be clear.
  __device__ __forceinline__ uint32_t byte_of_owned(uint32_t bits) const {
    if constexpr (kParts == 1) return bits;
    return (over_parts(bits << (kWidth * part_)) >> (8 * part_)) & 0xFFu;
  }

 private:
  // The union over the lanes that share octets.
  static __device__ __forceinline__ uint32_t over_parts(uint32_t bits) {
#pragma unroll
    for (int distance = 1; distance < kParts; distance *= 2) {
      bits |= __shfl_xor_sync(0xFFFFFFFFu, bits, distance);
    }
    return bits;
  }

  int lane_, part_;
};

// A warp's tiles, one after another, with the grid's stride: those that are whole, as
// `of_tile(first octet)`, and the tensor's end, as `of_octet(octet)` for each of this lane's
// octets.
template <class OfTile, class OfOctet>
__device__ __forceinline__ void for_tiles(int64_t elements, OfTile of_tile, OfOctet of_octet) {
  const int64_t octets = octets_of(elements);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * (kBlockTiles * kTileOctets);
  const int64_t tile = static_cast<int64_t>(blockIdx.x) * kBlockTiles + threadIdx.x / kWarp;
  for (int64_t first = tile * kTileOctets; first < octets; first += stride) {
    if ((first + kTileOctets) * kOctet <= elements) {
      of_tile(first);
      continue;
    }
    for (int64_t octet = first + threadIdx.x % kWarp; octet < octets; octet += kWarp)
      of_octet(octet);
  }
}

// Loads this lane's parts of a tile's rows. Piece is Chunk<T>, or another type of its size.
template <class T, class Piece, int rows>
__device__ __forceinline__ void load_rows(const T* base, const TileLane<T>& lane, int64_t first,
                                          Piece (&piece)[rows][TileLane<T>::kParts]) {
#pragma unroll
  for (int row = 0; row < rows; ++row) {
#pragma unroll
    for (int k = 0; k < TileLane<T>::kParts; ++k) {
      piece[row][k] = reinterpret_cast<const Piece*>(base)[lane.chunk(first, row, k)];
    }
  }
}

template <class T, class Piece>
__device__ __forceinline__ void store_row(T* base, const TileLane<T>& lane, int64_t first, int row,
                                          const Piece (&piece)[TileLane<T>::kParts]) {
#pragma unroll
  for (int k = 0; k < TileLane<T>::kParts; ++k) {
    reinterpret_cast<Piece*>(base)[lane.chunk(first, row, k)] = piece[k];
  }
}

// 16 bytes of halves as four words of two. They alias the tensor's elements.
#if defined(__GNUC__)
using AliasingWord = uint32_t __attribute__((may_alias));
#else
using AliasingWord = uint32_t;
#endif
struct alignas(16) ChunkWords {
  AliasingWord word[4];
};

inline int64_t blocks_for_tiles(int64_t octets) {
  return blocks_for((octets + kTileRows - 1) / kTileRows);
}

}  // namespace fastgan

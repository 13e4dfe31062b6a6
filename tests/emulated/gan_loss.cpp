#include "kernels/gan_loss.h"

#include "checks.h"

// Row gan_loss: the CUDA kernels against the CPU kernels, with the same params.

namespace fastgan {
namespace emulation {
namespace {

// Losses are added in different orders, and CUDA adds an octet's eight in float.
template <class T>
constexpr double kSumTolerance = std::is_same_v<T, double> ? 1e-13 : 1e-6;

struct Sizes {
  int64_t first, second;
  int sides;
};
constexpr Sizes kSidesOf[] = {{1, 1, 2},     {1, 0, 1},       {7, 8, 2},    {9, 127, 2},
                              {128, 129, 2}, {129, 0, 1},     {4095, 1, 2}, {1, 4095, 2},
                              {0, 7, 2},     {5003, 2048, 2}, {5003, 0, 1}, {2048, 5003, 2}};

// The second grid gives each side one block of the backward. The last one has more blocks than
// there is work for.
constexpr Grid kGrids[] = {kWholeGrid, {2, 0, false}, {kMostBlocksOfCuda, 3, true}};

template <class T>
struct Sides {
  Buffer<T> logits[2], grad[2], grad_reference[2];
  int count;

  // The second side's elements before `start` have no memory.
  Sides(const Sizes& sizes, int64_t shift, int64_t start = 0)
      : logits{Buffer<T>(sizes.first, shift), Buffer<T>(sizes.second, 0, start)},
        grad{Buffer<T>(sizes.first, shift), Buffer<T>(sizes.second, 0, start)},
        grad_reference{Buffer<T>(sizes.first, shift), Buffer<T>(sizes.second, 0, start)},
        count(sizes.sides) {
    for (Buffer<T>& side : logits) {
      fill_uniform(side, -6.0, 6.0);
      sprinkle(side, {0.0, -0.0, 40.0, -40.0, 88.0, -150.0});
    }
  }

  template <class Params>
  Params params(bool reference = false) {
    Params params{};
    params.sides = count;
    for (int i = 0; i < count; ++i) {
      T* const to = (reference ? grad_reference : grad)[i].data();
      params.side[i] = {logits[i].data(), to, logits[i].size(), Arithmetic<T>(i == 0 ? 0.9 : 0.0),
                        i == 0 ? 0.5 : 0.75};
    }
    return params;
  }
};

template <class S>
struct Result {
  S loss;
  float statistics[4];
};

// What csrc/ops/gan_loss.cpp computes from the CPU's chunks, in double.
template <class T>
Result<double> on_cpu(GanLoss<T> params, bool statistics) {
  const int64_t chunks = chunks_of(params);
  Buffer<GanSums> partials(chunks);
  Result<double> result{0.0, {-1, -1, -1, -1}};
  params.partials = partials.data();
  params.statistics = statistics ? result.statistics : nullptr;
  run_cpu(params, 0, chunks);
  int64_t chunk = 0;
  for (int i = 0; i < params.sides; ++i) {
    GanSums sums{};
    const int64_t elements = params.side[i].elements;
    for (int64_t left = chunks_of(elements); left > 0; --left) sums += partials[chunk++];
    result.loss += params.side[i].weight * mean_of(sums.loss, elements);
    if (!statistics) continue;
    result.statistics[i] = static_cast<float>(mean_of(sums.probability, elements));
    result.statistics[2 + i] = static_cast<float>(mean_of(sums.right, elements));
  }
  return result;
}

template <class T>
Result<Arithmetic<T>> on_cuda(GanLoss<T> params, bool statistics) {
  int64_t blocks = settings.more_blocks;
  for (int i = 0; i < params.sides; ++i) blocks += sum_blocks(params.side[i].elements);
  Buffer<GanSums> partials(blocks);
  Buffer<uint32_t> ticket(1);
  Buffer<Arithmetic<T>> loss(1);
  Buffer<float> numbers(4);
  for (int i = 0; i < 4; ++i) numbers[i] = -1;
  ticket[0] = 0;
  params.loss = loss.data();
  params.partials = partials.data();
  params.ticket = ticket.data();
  params.statistics = statistics ? numbers.data() : nullptr;
  run_cuda(params, nullptr);
  if (ticket[0] != 0) mismatch("ticket: expected 0 again, got %u", ticket[0]);
  return {loss[0], {numbers[0], numbers[1], numbers[2], numbers[3]}};
}

template <class T>
void check_loss(Sides<T>& sides, bool statistics) {
  const auto params = sides.template params<GanLoss<T>>();
  const auto reference = on_cpu(params, statistics);
  const auto result = on_cuda(params, statistics);
  expect_sum("loss", result.loss, reference.loss, kSumTolerance<T>);
  for (int i = 0; i < 4; ++i) {
    const double relative = i < 2 ? kSumTolerance<T> : 0.0;  // counts are exact
    expect_sum("statistics", result.statistics[i], reference.statistics[i], relative);
  }
  const uint64_t order = settings.order;
  settings.order = order + 1;
  const auto again = on_cuda(params, statistics);
  settings.order = order;
  if (std::memcmp(&result.loss, &again.loss, sizeof result.loss) != 0 ||
      std::memcmp(result.statistics, again.statistics, sizeof result.statistics) != 0) {
    mismatch("loss or statistics differ with the order of threads");
  }
}

template <class T>
void check_gradient(Sides<T>& sides) {
  Buffer<Arithmetic<T>> grad(1);
  grad[0] = Arithmetic<T>(-1.75);
  for (const bool reference : {true, false}) {
    auto params = sides.template params<GanGradient<T>>(reference);
    params.grad = grad.data();
    if (reference) {
      run_cpu(params, 0, chunks_of(params));
    } else {
      run_cuda(params, nullptr);
    }
  }
  for (int i = 0; i < sides.count; ++i) {
    // Differences of terms of at most 1.75 * 0.75 / elements, and the vectors' exp() is rounded
    // differently from the library's.
    const double slack = 2 * epsilon_of<T>() / static_cast<double>(sides.grad[i].size());
    expect_close("grad_logits", sides.grad[i], sides.grad_reference[i], slack);
  }
}

// The second side's elements from kFarFirst on, as check_far_sum() of bce.cpp does it. The first
// side has one block and one chunk.
template <class T>
void check_far(T) {
  current_case = std::string(name_of<T>()) + ", octets above 2^32";
  Sides<T> sides({300, kFarElements, 2}, 1, kFarFirst);
  const int64_t blocks = 1 + kFarBlocks;
  const int64_t first_block = 1 + kFarFirst / kBlockOfCuda, first_chunk = 1 + kFarFirst / kSumChunk;
  auto params = sides.template params<GanLoss<T>>();
  const int64_t chunks = chunks_of(params);
  Buffer<GanSums> of_chunks(chunks, 0, first_chunk), of_blocks(blocks, 0, first_block);
  Buffer<Arithmetic<T>> loss(1), grad(1);
  Buffer<float> statistics(4);
  Buffer<uint32_t> ticket(1);
  ticket[0] = 0;
  params.loss = loss.data();
  params.statistics = statistics.data();
  params.ticket = ticket.data();
  params.partials = of_chunks.data();
  run_cpu(params, first_chunk, chunks);
  params.partials = of_blocks.data();
  settings.first_block = first_block;
  settings.more_blocks = blocks - 1 - sum_blocks(kFarElements);
  run_cuda(params, nullptr);
  settings.more_blocks = 0;
  GanSums sums{}, reference{};
  for (int64_t i = first_block; i < blocks; ++i) sums += of_blocks[i];
  for (int64_t i = first_chunk; i < chunks; ++i) reference += of_chunks[i];
  expect_sum("loss", sums.loss, reference.loss, kSumTolerance<T>);
  expect_sum("probability", sums.probability, reference.probability, kSumTolerance<T>);
  expect_sum("right", sums.right, reference.right, 0.0);

  grad[0] = Arithmetic<T>(kFarElements);  // so that the results are not denormal
  auto gradient = sides.template params<GanGradient<T>>(true);
  gradient.grad = grad.data();
  run_cpu(gradient, first_chunk, chunks);
  gradient = sides.template params<GanGradient<T>>();
  gradient.grad = grad.data();
  run_cuda(gradient, nullptr);
  expect_close("grad_logits", sides.grad[1], sides.grad_reference[1], 2 * epsilon_of<T>());
  start_at(0);
  ++cases;
}

template <class T>
void check_all(T) {
  for (const Grid& grid : kGrids) {
    const std::string of_grid = grid.use();
    for (const Sizes& sizes : kSidesOf) {
      if (!grid.wants(sizes.first)) continue;
      for (const int64_t shift : {0, 1}) {
        current_case = std::string(name_of<T>()) + ", " + std::to_string(sizes.sides) + " sides, " +
                       std::to_string(sizes.first) + " and " + std::to_string(sizes.second) +
                       " elements, the first shifted by " + std::to_string(shift) + ", " + of_grid;
        Sides<T> sides(sizes, shift);
        if (grid.most == kMostBlocksOfCuda) {
          check_loss(sides, true);
          check_loss(sides, false);
        }
        for (int i = 0; i < sides.count; ++i) sprinkle(sides.logits[i], special_numbers());
        check_gradient(sides);
        ++cases;
      }
    }
  }
  kWholeGrid.use();
}

// More octets than the largest grid of a side has threads.
void check_large_sum() {
  current_case = "float, a side of more than a grid";
  Sides<float> sides({kMostSumBlocks * kSumThreads * kOctet + 13, 300, 2}, 0);
  check_loss(sides, true);
}

// Four blocks that share a ticket, and adjacent stores.
int check_races() {
  settings.order = 1;
  Sides<float> sides({5003, 2000, 2}, 1);
  on_cuda(sides.params<GanLoss<float>>(), true);
  Buffer<float> grad(1);
  grad[0] = 1;
  auto params = sides.params<GanGradient<float>>();
  params.grad = grad.data();
  run_cuda(params, nullptr);
  return 0;
}

}  // namespace
}  // namespace emulation
}  // namespace fastgan

int main(int count, char** arguments) {
  using namespace fastgan::emulation;
  if (only_races(count, arguments)) return check_races();
  settings.order = order_from(count, arguments);
  check_large_sum();
  return run_driver(count, arguments, [](auto type) {
    check_all(type);
    check_far(type);
  });
}

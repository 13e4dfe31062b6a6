#include "kernels/bias_act_dropout.h"

#include "checks.h"

// Row bias_act_dropout: CUDA's kernels against the CPU's, of the same params.

namespace fastgan {
namespace emulation {
namespace {

constexpr int64_t kChannels = 3, kInner = 5;

enum class Table { kNone, kContiguous, kChannelsLast };

struct Stages {
  const char* name;
  uint32_t threshold = 0;
  double slope = 0.2;
  double clamp = 0.0;  // 0: none
  Table bias = Table::kNone;
  Table maps = Table::kNone;
  bool state = true;
  bool in_place = false;
};

constexpr uint32_t kThird = 21845;
constexpr Stages kStages[] = {
    {"activation"},
    {"activation without state", 0, 0.2, 0.0, Table::kNone, Table::kNone, false},
    {"dropout", kThird},
    {"dropout in place", kThird, 0.2, 0.0, Table::kNone, Table::kNone, true, true},
    {"dropout, slope 1", kThird, 1.0},
    {"ReLU and dropout", kThird, 0.0},
    {"all dropped", kThresholdOne},
    {"clamp", kThird, 0.2, 1.5},
    {"bias, contiguous", kThird, 0.2, 0.0, Table::kContiguous},
    {"bias, channels last", kThird, 0.2, 0.0, Table::kChannelsLast},
    {"maps, contiguous", kThird, 0.2, 0.0, Table::kNone, Table::kContiguous},
    {"maps, channels last", kThird, 0.2, 0.0, Table::kNone, Table::kChannelsLast},
    {"all, contiguous", kThird, 0.0, 1.5, Table::kContiguous, Table::kContiguous},
    {"all, channels last", kThird, 0.2, 1.5, Table::kChannelsLast, Table::kChannelsLast},
};

struct Random {
  const char* name;
  uint64_t seed, offset;
  bool captured;
};
constexpr Random kRandom[] = {
    {"small seed", 7, 3, false},
    {"seed and offset above 2^32", 0x123456789ABCDEFu, 0xFEDCBA987654u, false},
    {"captured state", 0x765432100ABCDEu, 0x7FFF12345678u, true},
};

// What a captured graph finds in device memory.
struct Captured {
  Buffer<int64_t> seed{1}, offset{1};

  RandomState state(const Random& random) {
    if (!random.captured) return {random.seed, random.offset};
    seed[0] = static_cast<int64_t>(random.seed);
    offset[0] = static_cast<int64_t>(random.offset * kTorchWordsPerCounter);
    return {0, 0, seed.data(), offset.data(), 2 * kTorchWordsPerCounter};
  }
};

Channels table_of(Table order, int64_t sample_stride, int64_t samples) {
  return {order == Table::kContiguous ? kInner : 1, kChannels, sample_stride, samples};
}

template <class S>
ActivationFactors<S> factors_of(const Stages& stages) {
  const double scale = dropout_scale(stages.threshold);
  const bool has_clamp = stages.clamp > 0;
  const double gain = has_clamp ? 1.25 : 1.25 * scale;
  return {S(0),
          S(gain),
          S(gain * stages.slope),
          S(stages.clamp),
          S(has_clamp ? scale : 1.0),
          gain * stages.slope == 0.0,
          has_clamp};
}

void check_maps(const DrawMaps& params, Buffer<uint8_t>& emulated, Buffer<uint8_t>& reference) {
  DrawMaps other = params;
  other.map_keep = reference.data();
  run_cpu(other, 0, octets_of(params.maps));
  run_cuda(params, nullptr);
  expect_equal("map_keep", emulated, reference);
}

template <class T>
void check_backward(const Stages& stages, int64_t elements, int64_t shift, Buffer<uint8_t>& active,
                    Buffer<uint8_t>& positive) {
  Buffer<T> grad(elements, shift), emulated(elements, shift), reference(elements, shift);
  fill_uniform(grad, -2.0, 2.0);
  sprinkle(grad, special_numbers());
  BiasActDropoutBackward<T> params{grad.data(),
                                   reference.data(),
                                   stages.state ? active.data() : nullptr,
                                   stages.state ? positive.data() : nullptr,
                                   elements,
                                   factors_of<Arithmetic<T>>(stages)};
  run_cpu(params, 0, octets_of(elements));
  params.grad_input = emulated.data();
  run_cuda(params, nullptr);
  expect_close("grad_input", emulated, reference);
}

template <class T>
void check(const Stages& stages, const Random& random, int64_t elements, int64_t shift) {
  using S = Arithmetic<T>;
  const int64_t octets = octets_of(elements), sample = kChannels * kInner;
  const int64_t maps = (elements + sample - 1) / sample * kChannels;
  Captured captured;
  Buffer<T> x(elements, shift), y(elements, shift), y_reference(elements, shift);
  Buffer<uint8_t> active(octets), active_reference(octets);
  Buffer<uint8_t> positive(octets), positive_reference(octets);
  Buffer<S> bias(kChannels);
  Buffer<uint8_t> map_keep(maps), map_keep_reference(maps);
  fill_uniform(x, -3.0, 3.0);
  sprinkle(x, special_numbers());
  fill_uniform(bias, -1.0, 1.0);

  BiasActDropoutForward<T> params{};
  params.x = x.data();
  params.y = y_reference.data();
  params.elements = elements;
  params.threshold = stages.threshold;
  params.random = captured.state(random);
  params.factors = factors_of<S>(stages);
  if (stages.state) params.active = active_reference.data();
  if (stages.state) params.positive = positive_reference.data();
  if (stages.bias != Table::kNone) {
    params.bias = bias.data();
    params.bias_channels = table_of(stages.bias, elements, 1);
  }
  if (stages.maps != Table::kNone) {
    check_maps({map_keep.data(), maps, stages.threshold, params.random}, map_keep,
               map_keep_reference);
    params.map_keep = map_keep_reference.data();
    params.maps = table_of(stages.maps, sample, maps / kChannels);
  }
  run_cpu(params, 0, octets);

  params.y = y.data();
  if (stages.in_place) {
    std::memcpy(static_cast<void*>(y.data()), x.data(), elements * sizeof(T));
    params.x = y.data();
  }
  if (stages.state) params.active = active.data();
  if (stages.state) params.positive = positive.data();
  run_cuda(params, nullptr);
  expect_close("y", y, y_reference);
  if (stages.state) {
    expect_equal("active", active, active_reference);
    expect_equal("positive", positive, positive_reference);
  }
  check_backward<T>(stages, elements, shift, active_reference, positive_reference);
  ++cases;
}

template <class T>
void check_all(T) {
  for (const int64_t most_blocks : {kMostBlocksOfCuda, int64_t{2}, int64_t{1}}) {
    settings.most_blocks = most_blocks;
    for (const Stages& stages : kStages) {
      for (const int64_t elements : kSizes) {
        if (most_blocks <= 2 && elements < 4095) continue;  // one block would do
        for (const int64_t shift : {0, 1}) {
          const Random& random = kRandom[cases % 3];
          current = std::string(name_of<T>()) + ", " + stages.name + ", " + random.name + ", " +
                    std::to_string(elements) + " elements shifted by " + std::to_string(shift) +
                    ", at most " + std::to_string(most_blocks) + " blocks";
          check<T>(stages, random, elements, shift);
        }
      }
    }
  }
}

}  // namespace
}  // namespace emulation
}  // namespace fastgan

int main(int count, char** arguments) {
  return fastgan::emulation::run_driver(count, arguments,
                                        [](auto type) { fastgan::emulation::check_all(type); });
}

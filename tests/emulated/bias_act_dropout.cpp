#include "kernels/bias_act_dropout.h"

#include "checks.h"

// Row bias_act_dropout: the CUDA kernels against the CPU kernels, with the same params.

namespace fastgan {
namespace emulation {
namespace {

constexpr int64_t kChannels = 3, kInner = 5;

// How elements find their channel. A tile's part has 2, 4 or 8 elements. Of kShort's channels it
// may have several; of kRuns' at most two. Of kWholeRows it has channels that a 16-byte access may
// load, of kOddRows channels that wrap around. kOneRun has one channel, whose stride is past the
// end.
enum class Table { kNone, kShort, kInnermost, kRuns, kOneRun, kWholeRows, kOddRows };

struct Options {
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
constexpr Options kOptions[] = {
    {"activation"},
    {"activation without state", 0, 0.2, 0.0, Table::kNone, Table::kNone, false},
    {"dropout", kThird},
    {"dropout in place", kThird, 0.2, 0.0, Table::kNone, Table::kNone, true, true},
    {"dropout, slope 1", kThird, 1.0},
    {"ReLU and dropout", kThird, 0.0},
    {"all dropped", kThresholdOne},
    {"ReLU", 0, 0.0},
    {"clamp", kThird, 0.2, 1.5},
    {"clamp, all dropped", kThresholdOne, 0.0, 1.5},
    {"bias, contiguous", kThird, 0.2, 0.0, Table::kShort},
    {"bias, channels last", kThird, 0.2, 0.0, Table::kInnermost},
    {"bias, long runs", kThird, 0.2, 0.0, Table::kRuns},
    {"bias, long runs, clamp, in place", 0, 0.2, 1.5, Table::kRuns, Table::kNone, true, true},
    {"bias, one run", 0, 0.2, 0.0, Table::kOneRun},
    {"bias, whole rows", kThird, 0.0, 0.0, Table::kWholeRows},
    {"bias, odd rows, clamp", kThird, 0.0, 1.5, Table::kOddRows},
    {"maps, contiguous", kThird, 0.2, 0.0, Table::kNone, Table::kShort},
    {"maps, channels last", kThird, 0.2, 0.0, Table::kNone, Table::kInnermost},
    {"all, contiguous", kThird, 0.0, 1.5, Table::kShort, Table::kShort},
    {"all, channels last", kThird, 0.2, 1.5, Table::kInnermost, Table::kInnermost},
    {"all, in place", kThird, 0.2, 1.5, Table::kRuns, Table::kInnermost, true, true},
};
// The last grid has more blocks than there is work for.
constexpr Grid kGrids[] = {kWholeGrid, {2, 0, true}, {1, 0, true}, {kMostBlocksOfCuda, 3, true}};

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

// The device memory of a captured random state.
struct Captured {
  Buffer<int64_t> seed{1}, offset{1};

  RandomState state(const Random& random) {
    if (!random.captured) return {random.seed, random.offset};
    seed[0] = static_cast<int64_t>(random.seed);
    offset[0] = static_cast<int64_t>(random.offset * kTorchWordsPerCounter);
    return {0, 0, seed.data(), offset.data(), 2 * kTorchWordsPerCounter};
  }
};

Channels table_of(Table table, int64_t sample_stride, int64_t samples) {
  switch (table) {
    case Table::kShort:
      return {kInner, kChannels, sample_stride, samples};
    case Table::kRuns:
      return {17, kChannels, sample_stride, samples};
    case Table::kOneRun:
      return {int64_t{1} << 40, 1, sample_stride, samples};
    case Table::kWholeRows:
      return {1, 24, sample_stride, samples};
    case Table::kOddRows:
      return {1, 13, sample_stride, samples};
    default:
      return {1, kChannels, sample_stride, samples};
  }
}

template <class S>
ActivationFactors<S> factors_of(const Options& options) {
  const double scale = dropout_scale(options.threshold);
  const bool has_clamp = options.clamp > 0;
  const double gain = has_clamp ? 1.25 : 1.25 * scale;
  return {S(0),
          S(gain),
          S(gain * options.slope),
          S(options.clamp),
          S(has_clamp ? scale : 1.0),
          gain * options.slope == 0.0,
          has_clamp};
}

void check_maps(const DrawMaps& params, Buffer<uint8_t>& emulated, Buffer<uint8_t>& reference) {
  DrawMaps other = params;
  other.map_keep = reference.data();
  run_cpu(other, reference.first() / kOctet, octets_of(params.maps));
  start_at(emulated.first(), params.maps);
  run_cuda(params, nullptr);
  expect_equal("map_keep", emulated, reference);
}

template <class T>
void check_backward(const Options& options, int64_t elements, int64_t shift, int64_t first,
                    Buffer<uint8_t>& active, Buffer<uint8_t>& positive) {
  Buffer<T> grad(elements, shift, first), emulated(elements, shift, first);
  Buffer<T> reference(elements, shift, first);
  fill_uniform(grad, -2.0, 2.0);
  sprinkle(grad, special_numbers());
  BiasActDropoutBackward<T> params{grad.data(),
                                   reference.data(),
                                   options.state ? active.data() : nullptr,
                                   options.state ? positive.data() : nullptr,
                                   elements,
                                   factors_of<Arithmetic<T>>(options)};
  run_cpu(params, first / kOctet, octets_of(elements));
  params.grad_input = emulated.data();
  start_at(first, elements);
  run_cuda(params, nullptr);
  expect_close("grad_input", emulated, reference);
}

template <class T>
void copy(Buffer<T>& from, Buffer<T>& to) {
  for (int64_t i = from.first(); i < from.size(); ++i) to[i] = from[i];
}

// Checks a tensor's elements from `first` on.
template <class T>
void check(const Options& options, const Random& random, int64_t elements, int64_t shift,
           int64_t first = 0) {
  using S = Arithmetic<T>;
  const int64_t octets = octets_of(elements), sample = kChannels * kInner;
  const int64_t maps = (elements + sample - 1) / sample * kChannels;
  const int64_t first_octet = first / kOctet;
  const int64_t first_map = first / sample * kChannels / kBlockOfCuda * kBlockOfCuda;
  Captured captured;
  Buffer<T> x(elements, shift, first), y(elements, shift, first);
  Buffer<T> y_reference(elements, shift, first);
  Buffer<uint8_t> active(octets, 0, first_octet), active_reference(octets, 0, first_octet);
  Buffer<uint8_t> positive(octets, 0, first_octet), positive_reference(octets, 0, first_octet);
  const Channels bias_channels = table_of(options.bias, elements, 1);
  Buffer<S> bias(bias_channels.channels, cases / 2 % 2);  // aligned for 16-byte access or not
  Buffer<uint8_t> map_keep(maps, 0, first_map), map_keep_reference(maps, 0, first_map);
  fill_uniform(x, -3.0, 3.0);
  sprinkle(x, special_numbers());
  fill_uniform(bias, -1.0, 1.0);

  BiasActDropoutForward<T> params{};
  params.x = x.data();
  params.y = y_reference.data();
  params.elements = elements;
  params.threshold = options.threshold;
  params.random = captured.state(random);
  params.factors = factors_of<S>(options);
  if (options.state) params.active = active_reference.data();
  if (options.state) params.positive = positive_reference.data();
  if (options.bias != Table::kNone) {
    params.bias = bias.data();
    params.bias_channels = bias_channels;
  }
  if (options.maps != Table::kNone) {
    check_maps({map_keep.data(), maps, options.threshold, params.random}, map_keep,
               map_keep_reference);
    params.map_keep = map_keep_reference.data();
    params.maps = table_of(options.maps, sample, maps / kChannels);
  }
  run_cpu(params, first_octet, octets);

  params.y = y.data();
  if (options.in_place) {
    params.x = y.data();
    copy(x, y);
    run_cpu(params, first_octet, octets);
    expect_close("y, in place on the CPU", y, y_reference, 0.0, 0);
    copy(x, y);
  }
  if (options.state) params.active = active.data();
  if (options.state) params.positive = positive.data();
  start_at(first, elements);
  run_cuda(params, nullptr);
  expect_close("y", y, y_reference);
  if (options.state) {
    expect_equal("active", active, active_reference);
    expect_equal("positive", positive, positive_reference);
  }
  check_backward<T>(options, elements, shift, first, active_reference, positive_reference);
  ++cases;
}

template <class T>
void check_all(T) {
  for (const Grid& grid : kGrids) {
    const std::string of_grid = grid.use();
    for (const Options& options : kOptions) {
      for (const int64_t elements : kSizes) {
        if (!grid.wants(elements)) continue;
        for (const int64_t shift : {0, 1}) {
          const Random& random = kRandom[cases % 3];
          current_case = std::string(name_of<T>()) + ", " + options.name + ", " + random.name +
                         ", " + std::to_string(elements) + " elements shifted by " +
                         std::to_string(shift) + ", " + of_grid;
          check<T>(options, random, elements, shift);
        }
      }
    }
  }
  kWholeGrid.use();
  for (const Options& options : kOptions) {
    const Random& random = kRandom[cases % 3];
    current_case = std::string(name_of<T>()) + ", " + options.name + ", " + random.name +
                   ", octets above 2^32";
    check<T>(options, random, kFarElements, cases % 2, kFarFirst);
  }
}

// As many maps as kFarElements; the tensors above have fewer.
void check_far_maps() {
  current_case = "maps, octets above 2^32";
  Captured captured;
  Buffer<uint8_t> emulated(kFarElements, 0, kFarFirst), reference(kFarElements, 0, kFarFirst);
  check_maps({emulated.data(), kFarElements, kThird, captured.state(kRandom[1])}, emulated,
             reference);
}

}  // namespace
}  // namespace emulation
}  // namespace fastgan

int main(int count, char** arguments) {
  using namespace fastgan::emulation;
  settings.order = order_from(count, arguments);
  check_far_maps();
  return run_driver(count, arguments, [](auto type) { check_all(type); });
}

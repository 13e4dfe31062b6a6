#include "kernels/bce.h"

#include "checks.h"

// Row bce: the CUDA kernels against the CPU kernels, with the same params.

namespace fastgan {
namespace emulation {
namespace {

// Losses are added in different orders, and CUDA adds an octet's eight in float.
template <class T>
constexpr double kSumTolerance = std::is_same_v<T, double> ? 1e-13 : 1e-6;

struct Inputs {
  const char* name;
  bool probabilities = false;
  bool target = true;  // a tensor; false: one value
  bool weight = false;
  bool pos_weight = false;
};
constexpr Inputs kInputs[] = {
    {"logits"},
    {"logits, one target", false, false},
    {"logits, weight", false, true, true},
    {"logits, weight and pos_weight", false, true, true, true},
    {"probabilities", true},
    {"probabilities, one target, weight", true, false, true},
};

// The last grid has more blocks than there is work for.
constexpr Grid kGrids[] = {kWholeGrid, {1, 0, true}, {kMostBlocksOfCuda, 3, true}};

template <class T>
struct Tensors {
  Buffer<T> input, target;
  Buffer<Arithmetic<T>> weight, pos_weight;

  Tensors(int64_t elements, int64_t shift, bool probabilities, int64_t first = 0)
      : input(elements, shift, first),
        target(elements, shift, first),
        weight(elements, shift, first),
        pos_weight(elements, shift, first) {
    fill_uniform(input, probabilities ? 0.0 : -6.0, probabilities ? 1.0 : 6.0);
    sprinkle(input, probabilities ? std::vector<double>{0.0, 1.0, 1e-7, 0.5}
                                  : std::vector<double>{0.0, -0.0, 40.0, -40.0, 88.0, -150.0});
    fill_uniform(target, 0.0, 1.0);
    sprinkle(target, {0.0, 1.0});
    fill_uniform(weight, 0.0, 2.0);
    fill_uniform(pos_weight, 0.5, 3.0);
  }

  BceTerms<T> terms(const Inputs& inputs) {
    return {input.data(),
            inputs.target ? target.data() : nullptr,
            inputs.weight ? weight.data() : nullptr,
            inputs.pos_weight ? pos_weight.data() : nullptr,
            Arithmetic<T>(0.9),
            input.size(),
            inputs.probabilities,
            nullptr};
  }
};

template <class T>
T sum_cuda(const BceTerms<T>& terms, double scale) {
  Buffer<T> result(1);
  Buffer<double> partials(sum_blocks(terms.elements) + settings.more_blocks);
  Buffer<uint32_t> ticket(1);
  ticket[0] = 0;
  run_cuda(BceSum<T>{terms, scale, result.data(), partials.data(), ticket.data()}, nullptr);
  if (ticket[0] != 0) mismatch("ticket: expected 0 again, got %u", ticket[0]);
  return result[0];
}

template <class T>
void check_sum(const BceTerms<T>& terms) {
  const double scale = 0.25;
  const int64_t chunks = chunks_of(terms.elements);
  Buffer<double> partials(chunks);
  run_cpu(BceSum<T>{terms, scale, nullptr, partials.data(), nullptr}, 0, chunks);
  double reference = 0.0;
  for (int64_t i = 0; i < chunks; ++i) reference += partials[i];
  const T sum = sum_cuda(terms, scale);
  expect_sum("sum", sum, reference * scale, kSumTolerance<T>);
  const uint64_t order = settings.order;
  settings.order = order + 1;
  const T again = sum_cuda(terms, scale);
  settings.order = order;
  if (std::memcmp(&sum, &again, sizeof sum) != 0)
    mismatch("sum: differs with the order of threads");
}

// Sums of the elements from kFarFirst on. The grid has one thread for each octet, far more than a
// real launch, so that the blocks before can be skipped. No block sees itself as the last one then,
// so the partial sums are compared.
template <class T>
void check_far_sum(const BceTerms<T>& terms) {
  const int64_t first_block = kFarFirst / kBlockOfCuda, first_chunk = kFarFirst / kSumChunk;
  Buffer<double> partials(kFarBlocks, 0, first_block);
  Buffer<double> chunks(chunks_of(terms.elements), 0, first_chunk);
  Buffer<T> result(1);
  Buffer<uint32_t> ticket(1);
  ticket[0] = 0;
  run_cpu(BceSum<T>{terms, 1.0, nullptr, chunks.data(), nullptr}, first_chunk, chunks.size());
  settings.more_blocks = kFarBlocks - sum_blocks(terms.elements);
  start_at(kFarFirst);
  run_cuda(BceSum<T>{terms, 1.0, result.data(), partials.data(), ticket.data()}, nullptr);
  kWholeGrid.use();
  double sum = 0.0, reference = 0.0;
  for (int64_t i = first_block; i < kFarBlocks; ++i) sum += partials[i];
  for (int64_t i = first_chunk; i < chunks.size(); ++i) reference += chunks[i];
  expect_sum("sum", sum, reference, kSumTolerance<T>);
}

template <class T>
void check_loss(const BceTerms<T>& terms, int64_t shift, int64_t first) {
  Buffer<T> loss(terms.elements, shift, first), reference(terms.elements, shift, first);
  run_cpu(BceLoss<T>{terms, reference.data()}, first / kOctet, octets_of(terms.elements));
  start_at(first);
  run_cuda(BceLoss<T>{terms, loss.data()}, nullptr);
  // Emulated kernels take exp() and log() from the C library, the CPU's vectors have their own.
  // Each is within 1 ulp, and the roundings of three more operations may double that. The product
  // of a denormal logarithm, pos_weight and weight may be 0.
  expect_close("loss", loss, reference, 8 * std::numeric_limits<float>::min(), 4);
}

template <class T>
void check_gradient(const BceTerms<T>& terms, int64_t shift, int64_t first, bool grad_is_number) {
  const int64_t elements = terms.elements;
  Buffer<T> grad(grad_is_number ? 1 : elements, grad_is_number ? 1 : shift,
                 grad_is_number ? 0 : first);
  Buffer<T> emulated(elements, shift, first), reference(elements, shift, first);
  fill_uniform(grad, -2.0, 2.0);
  BceGradient<T> params{terms, grad.data(), reference.data(), grad_is_number, 0.5};
  run_cpu(params, first / kOctet, octets_of(elements));
  params.grad_input = emulated.data();
  start_at(first);
  run_cuda(params, nullptr);
  // A logit's gradient is a difference of terms of at most 6, for these weights and gradients, and
  // the vectors' exp() is rounded differently from the library's.
  const double slack = terms.probabilities ? 0.0 : 6 * epsilon_of<T>();
  expect_close("grad_input", emulated, reference, slack);
}

// Checks a tensor's elements from `first` on.
template <class T>
void check(const Inputs& inputs, int64_t elements, int64_t shift, int64_t first = 0) {
  Tensors<T> tensors(elements, shift, inputs.probabilities, first);
  const BceTerms<T> terms = tensors.terms(inputs);
  first == 0 ? check_sum(terms) : check_far_sum(terms);
  if (!inputs.probabilities) sprinkle(tensors.input, special_numbers());
  check_loss(terms, shift, first);
  check_gradient(terms, shift, first, true);
  check_gradient(terms, shift, first, false);
  ++cases;
}

template <class T>
void check_all(T) {
  for (const Grid& grid : kGrids) {
    const std::string of_grid = grid.use();
    for (const Inputs& inputs : kInputs) {
      for (const int64_t elements : kSizes) {
        if (!grid.wants(elements)) continue;
        for (const int64_t shift : {0, 1}) {
          current_case = std::string(name_of<T>()) + ", " + inputs.name + ", " +
                         std::to_string(elements) + " elements shifted by " +
                         std::to_string(shift) + ", " + of_grid;
          check<T>(inputs, elements, shift);
        }
      }
    }
  }
  kWholeGrid.use();
  for (const Inputs& inputs : kInputs) {
    current_case = std::string(name_of<T>()) + ", " + inputs.name + ", octets above 2^32";
    check<T>(inputs, kFarElements, cases % 2, kFarFirst);
    start_at(0);
  }
  current_case = std::string(name_of<T>()) + ", nothing to sum";
  check_sum(Tensors<T>(0, 0, false).terms(kInputs[0]));
}

// More octets than the largest grid has threads.
void check_large_sum() {
  const int64_t elements = kMostSumBlocks * kSumThreads * kOctet + 13;
  current_case = "float, a sum of more than a grid";
  check_sum(Tensors<float>(elements, 0, false).terms(kInputs[0]));
}

// Three blocks that share a ticket, and adjacent stores.
int check_races() {
  settings.order = 1;
  Tensors<float> tensors(5003, 1, false);
  const BceTerms<float> terms = tensors.terms(kInputs[3]);
  sum_cuda(terms, 0.25);
  Buffer<float> loss(terms.elements, 1);
  run_cuda(BceLoss<float>{terms, loss.data()}, nullptr);
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
  return run_driver(count, arguments, [](auto type) { check_all(type); });
}

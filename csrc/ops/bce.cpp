#include "kernels/bce.h"

#include <ATen/Dispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/util/SmallVector.h>

#include "ops/checks.h"
#include "ops/launch.h"
#include "ops/layout.h"
#include "ops/register.h"
#include "ops/workspace.h"

namespace fastgan {
namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

// One call's arguments: checked, then all in the memory order of the input made dense.
struct Arguments {
  const char* op;
  bool probabilities;
  Tensor input;
  Tensor target;  // undefined: target_value
  double target_value;
  Tensor weight;      // undefined: none
  Tensor pos_weight;  // undefined: none

  Arguments(const char* op, bool probabilities, const Tensor& input, const OptionalTensor& target,
            double target_value, const OptionalTensor& weight, const OptionalTensor& pos_weight)
      : op(op),
        probabilities(probabilities),
        input(input),
        target(target.value_or(Tensor())),
        target_value(target_value),
        weight(weight.value_or(Tensor())),
        pos_weight(pos_weight.value_or(Tensor())) {
    check_floating(op, "input", input);
    check("target", this->target);
    check("weight", this->weight);
    check("pos_weight", this->pos_weight);
    TORCH_CHECK(!probabilities || (target_value >= 0.0 && target_value <= 1.0), "fastgan::", op,
                ": expected target in [0, 1], got ", target_value);
  }

  void check(const char* argument, const Tensor& tensor) const {
    if (!tensor.defined()) return;
    check_same_device(op, argument, tensor, input);
    TORCH_CHECK_VALUE(tensor.sym_sizes() == input.sym_sizes(), "fastgan::", op, ": expected ",
                      argument, " of shape ", input.sym_sizes(), ", got ", tensor.sym_sizes());
    TORCH_CHECK(tensor.scalar_type() == input.scalar_type(), "fastgan::", op, ": expected ",
                argument, " of dtype ", input.scalar_type(), ", got ", tensor.scalar_type());
  }

  void lay_out() {
    input = dense(input);
    if (target.defined()) target = in_order_of(input, target);
    if (weight.defined()) weight = in_order_of(input, weight);
    if (pos_weight.defined()) pos_weight = in_order_of(input, pos_weight);
  }

  // What a kernel found, on the CPU.
  void check_range(int outside) const {
    if (outside == 0) return;
    const char* argument = (outside & kInputOutside) != 0 ? "input" : "target";
    TORCH_CHECK(false, "fastgan::", op, ": expected ", argument,
                " in [0, 1], got NaN or a value outside");
  }

  template <class T>
  BceTerms<T> terms(std::atomic<int>* outside = nullptr) const {
    return {input.const_data_ptr<T>(),
            data<T>(target),
            data<T>(weight),
            data<T>(pos_weight),
            static_cast<Arithmetic<T>>(target_value),
            input.numel(),
            probabilities,
            outside};
  }

  template <class T>
  static const T* data(const Tensor& tensor) {
    return tensor.defined() ? tensor.const_data_ptr<T>() : nullptr;
  }
};

Tensor loss(Arguments arguments) {
  if (arguments.input.is_meta()) return at::empty_like(dense(arguments.input));
  arguments.lay_out();
  const Tensor& input = arguments.input;
  Tensor result = at::empty_like(input);
  if (input.numel() == 0) return result;
  std::atomic<int> outside{0};
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, input.scalar_type(), "bce", [&] {
    const BceLoss<scalar_t> params{arguments.terms<scalar_t>(&outside),
                                   result.mutable_data_ptr<scalar_t>()};
    run_octets(input.device(), params, input.numel());
  });
  arguments.check_range(outside);
  return result;
}

// All chunks' partial sums by as many threads as there are, added up in order.
template <class T>
double sum_of_chunks(BceSum<T>& params) {
  const int64_t chunks = chunks_of(params.terms.elements);
  c10::SmallVector<double, 64> partials(chunks);
  params.partials = partials.data();
  run_chunks(params, chunks);
  double sum = 0.0;
  for (const double partial : partials) sum += partial;
  return sum;
}

Tensor reduced_loss(Arguments arguments, bool mean) {
  Tensor result = at::empty({}, arguments.input.options());
  if (arguments.input.is_meta()) return result;
  arguments.lay_out();
  const Tensor& input = arguments.input;
  const double scale =
      mean ? 1.0 / static_cast<double>(input.numel()) : 1.0;  // of nothing, the mean is NaN
  std::atomic<int> outside{0};
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, input.scalar_type(), "bce", [&] {
    BceSum<scalar_t> params{arguments.terms<scalar_t>(&outside), scale,
                            result.mutable_data_ptr<scalar_t>(), nullptr, nullptr};
    if (input.is_cpu()) {
      params.result[0] = static_cast<scalar_t>(sum_of_chunks(params) * scale);
      return;
    }
#ifdef FASTGAN_WITH_CUDA
    const c10::cuda::CUDAGuard guard(input.device());
    const Workspace workspace(input.device());
    params.partials = workspace.partials;
    params.ticket = workspace.ticket;
    run_cuda(params, workspace.stream);
#endif
  });
  arguments.check_range(outside);
  return result;
}

// One number in every element: no dimension of more than one element is stepped through.
bool is_one_number(const Tensor& tensor) {
  for (int64_t dim = 0; dim < tensor.dim(); ++dim) {
    if (tensor.stride(dim) != 0 && tensor.size(dim) != 1) return false;
  }
  return true;
}

Tensor gradient(Tensor grad, Arguments arguments, bool mean) {
  TORCH_CHECK_VALUE(grad.dim() == 0 || grad.sym_sizes() == arguments.input.sym_sizes(),
                    "fastgan::", arguments.op, ": expected grad of shape [] or ",
                    arguments.input.sym_sizes(), ", got ", grad.sym_sizes());
  check_same_device(arguments.op, "grad", grad, arguments.input);
  if (arguments.input.is_meta()) return at::empty_like(dense(arguments.input));
  arguments.lay_out();
  const Tensor& input = arguments.input;
  Tensor result = at::empty_like(input);
  if (input.numel() == 0) return result;
  const bool grad_is_number = is_one_number(grad);
  if (!grad_is_number) grad = in_order_of(input, grad);
  grad = grad.to(input.scalar_type());
  const double scale = mean ? 1.0 / static_cast<double>(input.numel()) : 1.0;
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, input.scalar_type(), "bce", [&] {
    const BceGradient<scalar_t> params{arguments.terms<scalar_t>(), grad.const_data_ptr<scalar_t>(),
                                       result.mutable_data_ptr<scalar_t>(), grad_is_number, scale};
    run_octets(input.device(), params, input.numel());
  });
  return result;
}

Tensor bce_with_logits(const Tensor& input, const OptionalTensor& target, double target_value,
                       const OptionalTensor& weight, const OptionalTensor& pos_weight) {
  return loss({"bce_with_logits", false, input, target, target_value, weight, pos_weight});
}

Tensor bce_with_logits_reduced(const Tensor& input, const OptionalTensor& target,
                               double target_value, const OptionalTensor& weight,
                               const OptionalTensor& pos_weight, bool mean) {
  return reduced_loss({"bce_with_logits", false, input, target, target_value, weight, pos_weight},
                      mean);
}

Tensor bce_with_logits_backward(const Tensor& grad, const Tensor& input,
                                const OptionalTensor& target, double target_value,
                                const OptionalTensor& weight, const OptionalTensor& pos_weight,
                                bool mean) {
  return gradient(
      grad, {"bce_with_logits_backward", false, input, target, target_value, weight, pos_weight},
      mean);
}

Tensor bce(const Tensor& input, const OptionalTensor& target, double target_value,
           const OptionalTensor& weight) {
  return loss({"bce", true, input, target, target_value, weight, {}});
}

Tensor bce_reduced(const Tensor& input, const OptionalTensor& target, double target_value,
                   const OptionalTensor& weight, bool mean) {
  return reduced_loss({"bce", true, input, target, target_value, weight, {}}, mean);
}

Tensor bce_backward(const Tensor& grad, const Tensor& input, const OptionalTensor& target,
                    double target_value, const OptionalTensor& weight, bool mean) {
  return gradient(grad, {"bce_backward", true, input, target, target_value, weight, {}}, mean);
}

void register_row(torch::Library& m) {
  m.impl("bce", TORCH_FN(bce));
  m.impl("bce_reduced", TORCH_FN(bce_reduced));
  m.impl("bce_backward", TORCH_FN(bce_backward));
  m.impl("bce_with_logits", TORCH_FN(bce_with_logits));
  m.impl("bce_with_logits_reduced", TORCH_FN(bce_with_logits_reduced));
  m.impl("bce_with_logits_backward", TORCH_FN(bce_with_logits_backward));
}

}  // namespace

FASTGAN_REGISTER(register_row, register_row)

}  // namespace fastgan

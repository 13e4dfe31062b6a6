#include "ops/bce.h"

#include <ATen/Dispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/util/SmallVector.h>

#include "kernels/bce.h"
#include "ops/allocate.h"
#include "ops/checks.h"
#include "ops/layout.h"
#include "ops/register.h"
#include "ops/run_kernel.h"
#include "ops/workspace.h"

namespace fastgan {
namespace {

// The arguments of one call, checked. Errors end in the words of torch's, which other code looks
// for. After lay_out() the input is dense and the other tensors are in its memory order.
struct Arguments {
  const char* op;
  bool probabilities;
  Tensor input;
  Tensor target;  // undefined: target_value for every element
  double target_value;
  Tensor weight;      // undefined: 1
  Tensor pos_weight;  // undefined: 1

  template <BceForm form>
  Arguments(const char* op, const Tensor& input, const BceSettings<form>& settings)
      : op(op),
        probabilities(form == BceForm::kProbabilities),
        input(input),
        target(settings.target.value_or(Tensor())),
        target_value(settings.target_value),
        weight(settings.weight.value_or(Tensor())),
        pos_weight(settings.pos_weight.value_or(Tensor())) {
    check_floating(op, "input", input);
    const at::ScalarType type = input.scalar_type();
    const at::ScalarType arithmetic = type == at::kDouble ? at::kDouble : at::kFloat;
    check("target", this->target, type);
    check("weight", this->weight, arithmetic);
    check("pos_weight", this->pos_weight, arithmetic);
    TORCH_CHECK(!probabilities || (target_value >= 0.0 && target_value <= 1.0), "fastgan::", op,
                ": expected target in [0, 1], got ", target_value);
  }

  void check(const char* argument, const Tensor& tensor, at::ScalarType type) const {
    if (!tensor.defined()) return;
    check_same_device(op, argument, tensor, input);
    TORCH_CHECK_VALUE(tensor.sym_sizes() == input.sym_sizes(), "fastgan::", op, ": expected ",
                      argument, " of shape ", input.sym_sizes(), ", got ", tensor.sym_sizes());
    TORCH_CHECK(tensor.scalar_type() == type, "fastgan::", op, ": expected ", argument,
                " of dtype ", type, ", got ", tensor.scalar_type(), ": Found dtype ",
                tensor.scalar_type(), " but expected ", type);
  }

  void lay_out() {
    input = dense(input);
    if (target.defined()) target = in_order_of(input, target);
    if (weight.defined()) weight = in_order_of(input, weight);
    if (pos_weight.defined()) pos_weight = in_order_of(input, pos_weight);
  }

  // Raises an error for what a CPU kernel has set in BceTerms::outside.
  void check_range(int outside) const {
    if (outside == 0) return;
    const char* argument = (outside & kInputOutside) != 0 ? "input" : "target";
    TORCH_CHECK(false, "fastgan::", op, ": expected ", argument,
                " in [0, 1], got NaN or a value outside: all elements of ", argument,
                " should be between 0 and 1");
  }

  template <class T>
  BceTerms<T> terms(std::atomic<int>* outside = nullptr) const {
    return {input.const_data_ptr<T>(),
            data<T>(target),
            data<Arithmetic<T>>(weight),
            data<Arithmetic<T>>(pos_weight),
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
  if (arguments.input.is_meta()) return new_like(dense(arguments.input));
  arguments.lay_out();
  const Tensor& input = arguments.input;
  Tensor result = new_like(input);
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

// On the CPU: all chunks' partial sums, added up in order.
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
      mean ? 1.0 / static_cast<double>(input.numel()) : 1.0;  // 0 * inf = NaN without elements
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

// Whether all elements are one number in memory, as in an expanded gradient.
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
  if (arguments.input.is_meta()) return new_like(dense(arguments.input));
  arguments.lay_out();
  const Tensor& input = arguments.input;
  Tensor result = new_like(input);
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

template <BceForm form>
Tensor elementwise(const Tensor& input, const BceSettings<form>& settings) {
  return loss({BceOps<form>::Elementwise::kName, input, settings});
}

template <BceForm form>
Tensor reduced(const Tensor& input, const BceSettings<form>& settings, bool mean) {
  return reduced_loss({BceOps<form>::Elementwise::kName, input, settings}, mean);
}

template <BceForm form>
Tensor backward(const Tensor& grad, const Tensor& input, const BceSettings<form>& settings,
                bool mean) {
  return gradient(grad, {BceOps<form>::Backward::kName, input, settings}, mean);
}

template <BceForm form>
void register_form(torch::Library& m) {
  BceOps<form>::Elementwise::template implement<elementwise<form>>(m);
  BceOps<form>::Reduced::template implement<reduced<form>>(m);
  BceOps<form>::Backward::template implement<backward<form>>(m);
}

void register_row(torch::Library& m) {
  register_form<BceForm::kLogits>(m);
  register_form<BceForm::kProbabilities>(m);
}

}  // namespace

FASTGAN_REGISTER(register_row)

}  // namespace fastgan

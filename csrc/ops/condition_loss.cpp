#include "ops/condition_loss.h"

#include <ATen/Dispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/util/SmallVector.h>

#include <atomic>

#include "kernels/condition_loss.h"
#include "ops/checks.h"
#include "ops/column_layout.h"
#include "ops/register.h"
#include "ops/run_kernel.h"
#include "ops/workspace.h"

namespace fastgan {
namespace {

// The dtype of the loss is that of the arithmetic.
at::ScalarType loss_type(const Tensor& input) {
  return input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// The arguments of one call, checked.
struct Arguments {
  const char* op;
  Tensor input, conditions;  // contiguous, unless they are meta tensors
  HostLayout layout;
  std::atomic<int> outside{0};

  Arguments(const char* op, const Tensor& input, const Tensor& conditions,
            const ConditionLossSettings& settings)
      : op(op),
        input((check(op, input, conditions, settings), input)),
        conditions(conditions),
        layout(settings.scalars, settings.widths) {
    if (input.is_meta()) return;
    this->input = input.contiguous();
    this->conditions = conditions.contiguous();
  }

  static void check(const char* op, const Tensor& input, const Tensor& conditions,
                    const ConditionLossSettings& settings) {
    check_floating(op, "input", input);
    check_layout(op, "input", input, settings.scalars, settings.widths);
    check_same_device(op, "conditions", conditions, input);
    TORCH_CHECK_TYPE(conditions.scalar_type() == at::kLong, "fastgan::", op,
                     ": expected conditions of dtype int64, got ", conditions.scalar_type());
    const c10::SymIntArrayRef rows = input.sym_sizes().slice(0, input.dim() - 1);
    TORCH_CHECK_VALUE(conditions.sym_sizes() == rows, "fastgan::", op,
                      ": expected conditions of shape ", rows, ", got ", conditions.sym_sizes());
  }

  template <class T>
  ConditionTerms<T> terms() {
    return {input.const_data_ptr<T>(), conditions.const_data_ptr<int64_t>(), rows_of(input),
            layout_on(op, layout, input), &outside};
  }

  // Raises an error for what a CPU kernel has set in ConditionTerms::outside.
  void check_range() const {
    TORCH_CHECK_INDEX(outside == 0, "fastgan::", op, ": expected conditions in [0, ",
                      layout.layout().entries(), "), got others");
  }
};

// On the CPU: all groups' partial sums, added up in order.
template <class T>
double sum_of_groups(ConditionLoss<T>& params) {
  c10::SmallVector<double, 64> partials(row_groups(params.terms.rows));
  params.partials = partials.data();
  run_rows(at::kCPU, params, params.terms.rows, params.terms.layout.width);
  double sum = 0.0;
  for (const double partial : partials) sum += partial;
  return sum;
}

Tensor loss(const Tensor& input, const Tensor& conditions, const ConditionLossSettings& settings) {
  Arguments arguments(ops::condition_loss::kName, input, conditions, settings);
  Tensor result = at::empty({}, input.options().dtype(loss_type(input)));
  if (input.is_meta()) return result;
  AT_DISPATCH_FLOATING_TYPES_AND2(
      at::kHalf, at::kBFloat16, input.scalar_type(), "condition_loss", [&] {
        ConditionLoss<scalar_t> params{arguments.terms<scalar_t>(),
                                       result.mutable_data_ptr<Arithmetic<scalar_t>>(), nullptr,
                                       nullptr};
        if (input.is_cpu()) {
          // NaN without rows
          params.result[0] = static_cast<Arithmetic<scalar_t>>(
              sum_of_groups(params) / static_cast<double>(params.terms.rows));
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
  arguments.check_range();
  return result;
}

Tensor gradient(const Tensor& grad, const Tensor& input, const Tensor& conditions,
                const ConditionLossSettings& settings) {
  Arguments arguments(ops::condition_loss_backward::kName, input, conditions, settings);
  check_same_device(arguments.op, "grad", grad, input);
  TORCH_CHECK_VALUE(grad.dim() == 0, "fastgan::", arguments.op, ": expected grad of shape [], got ",
                    grad.sym_sizes());
  Tensor result = at::empty_symint(input.sym_sizes(), input.options());
  if (input.is_meta() || input.numel() == 0) return result;
  const Tensor number = grad.to(loss_type(input));
  AT_DISPATCH_FLOATING_TYPES_AND2(
      at::kHalf, at::kBFloat16, input.scalar_type(), "condition_loss", [&] {
        const ConditionGradient<scalar_t> params{arguments.terms<scalar_t>(),
                                                 number.const_data_ptr<Arithmetic<scalar_t>>(),
                                                 result.mutable_data_ptr<scalar_t>()};
        run_rows(input.device(), params, params.terms.rows, params.terms.layout.width);
      });
  arguments.check_range();
  return result;
}

void register_row(torch::Library& m) {
  ops::condition_loss::implement<loss>(m);
  ops::condition_loss_backward::implement<gradient>(m);
}

}  // namespace

FASTGAN_REGISTER(register_row)

}  // namespace fastgan

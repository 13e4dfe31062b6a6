#include "ops/column_heads.h"

#include <ATen/Dispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cmath>

#include "kernels/column_heads.h"
#include "ops/checks.h"
#include "ops/column_layout.h"
#include "ops/random.h"
#include "ops/register.h"
#include "ops/run_kernel.h"

namespace fastgan {
namespace {

void check_tau(const char* op, double tau) {
  TORCH_CHECK_VALUE(tau > 0.0 && std::isfinite(tau), "fastgan::", op,
                    ": expected tau above 0, got ", tau);
}

Tensor forward(const Tensor& input, const ColumnHeadsSettings& settings) {
  constexpr const char* op = ops::column_heads::kName;
  check_floating(op, "input", input);
  check_layout(op, "input", input, settings.scalars, settings.widths);
  check_tau(op, settings.tau);
  Tensor output = at::empty_symint(input.sym_sizes(), input.options());
  if (input.is_meta()) return output;
  const RandomSource source =
      random_source(op, input.device(), settings.seed, settings.offset, settings.generator);
  if (input.numel() == 0) return output;
  const RandomState random =
      settings.widths.empty() ? RandomState{} : random_state(input.device(), source);
  const Tensor rows = input.contiguous();
  const HostLayout layout(settings.scalars, settings.widths);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, input.scalar_type(), op, [&] {
    const ColumnHeadsForward<scalar_t> params{rows.const_data_ptr<scalar_t>(),
                                              output.mutable_data_ptr<scalar_t>(),
                                              rows_of(rows),
                                              layout_on(op, layout, rows),
                                              static_cast<Arithmetic<scalar_t>>(1.0 / settings.tau),
                                              random};
    run_rows(rows.device(), params, params.rows, params.layout.width);
  });
  return output;
}

Tensor backward(const Tensor& grad, const Tensor& output,
                const ColumnHeadsBackwardSettings& settings) {
  constexpr const char* op = ops::column_heads_backward::kName;
  check_floating(op, "grad", grad);
  check_layout(op, "grad", grad, settings.scalars, settings.widths);
  check_same_device(op, "output", output, grad);
  TORCH_CHECK_VALUE(output.sym_sizes() == grad.sym_sizes(), "fastgan::", op,
                    ": expected output of shape ", grad.sym_sizes(), ", got ", output.sym_sizes());
  TORCH_CHECK(output.scalar_type() == grad.scalar_type(), "fastgan::", op,
              ": expected output of dtype ", grad.scalar_type(), ", got ", output.scalar_type());
  check_tau(op, settings.tau);
  Tensor grad_input = at::empty_symint(grad.sym_sizes(), grad.options());
  if (grad.is_meta() || grad.numel() == 0) return grad_input;
  const Tensor rows = grad.contiguous(), results = output.contiguous();
  const HostLayout layout(settings.scalars, settings.widths);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, grad.scalar_type(), op, [&] {
    const ColumnHeadsBackward<scalar_t> params{
        rows.const_data_ptr<scalar_t>(),
        results.const_data_ptr<scalar_t>(),
        grad_input.mutable_data_ptr<scalar_t>(),
        rows_of(rows),
        layout_on(op, layout, rows),
        static_cast<Arithmetic<scalar_t>>(1.0 / settings.tau)};
    run_rows(rows.device(), params, params.rows, params.layout.width);
  });
  return grad_input;
}

void register_row(torch::Library& m) {
  ops::column_heads::implement<forward>(m);
  ops::column_heads_backward::implement<backward>(m);
}

}  // namespace

FASTGAN_REGISTER(register_row)

}  // namespace fastgan

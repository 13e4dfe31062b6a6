#include "ops/product.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <c10/core/SymIntArrayRef.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>
#include <array>

#include "ops/checks.h"
#include "ops/crew.h"
#include "ops/register.h"

// A matrix product in parts of its rows, if `threads` is above 0. Where torch has one thread, it
// computes each part with one, and the parts depend on the shapes alone. So the result has the same
// bits for any number of threads. With several threads of torch's own it has not: MKL splits a
// product by their number.

namespace fastgan {
namespace {

// Multiply-adds. A smaller product is one part; one below the second number is two, and a larger
// one more, so that a part has 12 to 24 million.
constexpr int64_t kLeastToSplit = 8'000'000, kMostOfHalves = 48'000'000;
constexpr int64_t kMostParts = 16;

int64_t parts_of(int64_t rows, int64_t work) {
  if (work < kLeastToSplit) return 1;
  int64_t parts = 2;
  while (parts < kMostParts && work >= kMostOfHalves) {
    parts *= 2;
    work /= 2;
  }
  return std::min(parts, rows);
}

void check_like(const char* op, const char* argument, const Tensor& tensor, const Tensor& a) {
  check_same_device(op, argument, tensor, a);
  TORCH_CHECK_TYPE(tensor.scalar_type() == a.scalar_type(), "fastgan::", op, ": expected ",
                   argument, " of dtype ", a.scalar_type(), ", got ", tensor.scalar_type());
}

void check(const char* op, const Tensor& a, const Tensor& b, const OptionalTensor& bias,
           int64_t threads) {
  check_floating(op, "a", a);
  check_like(op, "b", b, a);
  TORCH_CHECK_VALUE(a.dim() == 2 && b.dim() == 2 && a.sym_size(1) == b.sym_size(0), "fastgan::", op,
                    ": expected a of shape [m, k] and b of shape [k, n], got ", a.sym_sizes(),
                    " and ", b.sym_sizes());
  if (bias) {
    check_like(op, "bias", *bias, a);
    TORCH_CHECK_VALUE(bias->dim() == 1 && bias->sym_size(0) == b.sym_size(1), "fastgan::", op,
                      ": expected bias of shape [", b.sym_size(1), "], got ", bias->sym_sizes());
  }
  TORCH_CHECK_VALUE(threads >= 0, "fastgan::", op, ": expected threads >= 0, got ", threads);
}

bool in_parts(const Tensor& a, const ProductSettings& settings) {
  return a.is_cpu() && settings.threads > 0;
}

// narrow() in one call of the dispatcher.
Tensor rows_from(const Tensor& matrix, int64_t first, int64_t count) {
  return matrix.as_strided({count, matrix.size(1)}, matrix.strides(),
                           matrix.storage_offset() + first * matrix.stride(0));
}

void compute_rows(Tensor output, const Tensor& a, const Tensor& b, const OptionalTensor& bias) {
  if (bias) {
    at::addmm_out(output, *bias, a, b);
  } else {
    at::mm_out(output, a, b);
  }
}

void compute(const Tensor& output, const Tensor& a, const Tensor& b, const OptionalTensor& bias,
             int64_t threads) {
  const int64_t rows = a.size(0);
  if (rows == 0) return;
  const int64_t parts = parts_of(rows, rows * b.size(1) * a.size(1));
  const int64_t size = (rows + parts - 1) / parts;
  run_parts((rows + size - 1) / size, threads, [&](int64_t part) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const int64_t first = part * size, count = std::min(size, rows - first);
    compute_rows(rows_from(output, first, count), rows_from(a, first, count), b, bias);
  });
}

Tensor forward(const Tensor& a, const Tensor& b, const OptionalTensor& bias,
               const ProductSettings& settings) {
  check(ops::product::kName, a, b, bias, settings.threads);
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  if (!in_parts(a, settings)) return bias ? at::addmm(*bias, a, b) : at::mm(a, b);
  Tensor output = at::empty({a.size(0), b.size(1)}, a.options());
  compute(output, a, b, bias, settings.threads);
  return output;
}

void forward_out(const Tensor& output, const Tensor& a, const Tensor& b, const OptionalTensor& bias,
                 const ProductSettings& settings) {
  constexpr const char* op = ops::product_out::kName;
  check(op, a, b, bias, settings.threads);
  check_like(op, "output", output, a);
  const std::array<c10::SymInt, 2> shape{a.sym_size(0), b.sym_size(1)};
  TORCH_CHECK_VALUE(output.sym_sizes() == c10::SymIntArrayRef(shape), "fastgan::", op,
                    ": expected output of shape ", c10::SymIntArrayRef(shape), ", got ",
                    output.sym_sizes());
  if (output.is_meta()) return;
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  if (!in_parts(a, settings)) return compute_rows(output, a, b, bias);
  compute(output, a, b, bias, settings.threads);
}

void register_row(torch::Library& m) {
  ops::product::implement<forward>(m);
  ops::product_out::implement<forward_out>(m);
}

}  // namespace

FASTGAN_REGISTER(register_row)

}  // namespace fastgan

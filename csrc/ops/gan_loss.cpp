#include "ops/gan_loss.h"

#include <ATen/Dispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/util/SmallVector.h>

#include <array>

#include "kernels/gan_loss.h"
#include "ops/allocate.h"
#include "ops/checks.h"
#include "ops/layout.h"
#include "ops/register.h"
#include "ops/run_kernel.h"
#include "ops/workspace.h"

namespace fastgan {
namespace {

// The dtype of the loss is that of the arithmetic.
at::ScalarType loss_type(const Tensor& logits) {
  return logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// The arguments of one side, real or fake.
struct Side {
  Tensor logits;  // dense
  double target;
  double weight;

  template <class T>
  GanSide<T> params() const {
    return {logits.const_data_ptr<T>(), nullptr, logits.numel(), static_cast<Arithmetic<T>>(target),
            weight};
  }
};

void check(const char* op, const Tensor& real, const Tensor& fake) {
  check_floating(op, "real_logits", real);
  check_floating(op, "fake_logits", fake);
  check_same_device(op, "fake_logits", fake, real);
  TORCH_CHECK(fake.scalar_type() == real.scalar_type(), "fastgan::", op,
              ": expected fake_logits of dtype ", real.scalar_type(), ", as real_logits, got ",
              fake.scalar_type());
}

void check_grad(const char* op, const Tensor& grad, const Tensor& logits) {
  check_same_device(op, "grad", grad, logits);
  TORCH_CHECK_VALUE(grad.dim() == 0, "fastgan::", op, ": expected grad of shape [], got ",
                    grad.sym_sizes());
}

// On the CPU: makes the loss, and the statistics if wanted, of the chunks' partial sums.
template <class T>
void finish(const GanLoss<T>& params) {
  double loss = 0.0;
  int64_t chunk = 0;
  for (int i = 0; i < params.sides; ++i) {
    const GanSide<T>& side = params.side[i];
    GanSums sums{};
    for (const int64_t last = chunk + chunks_of(side.elements); chunk < last; ++chunk) {
      sums += params.partials[chunk];
    }
    loss += side.weight * mean_of(sums.loss, side.elements);
    if (params.statistics == nullptr) continue;
    params.statistics[i] = static_cast<float>(mean_of(sums.probability, side.elements));
    params.statistics[2 + i] = static_cast<float>(mean_of(sums.right, side.elements));
  }
  params.loss[0] = static_cast<Arithmetic<T>>(loss);
}

// Writes the loss, and the statistics if that tensor is defined.
void run_loss(const Side* sides, int count, const Tensor& loss, const Tensor& statistics) {
  if (loss.is_meta()) return;
  AT_DISPATCH_FLOATING_TYPES_AND2(
      at::kHalf, at::kBFloat16, sides[0].logits.scalar_type(), "gan_loss", [&] {
        GanLoss<scalar_t> params{};
        for (int i = 0; i < count; ++i) params.side[i] = sides[i].params<scalar_t>();
        params.sides = count;
        params.loss = loss.mutable_data_ptr<Arithmetic<scalar_t>>();
        params.statistics = statistics.defined() ? statistics.mutable_data_ptr<float>() : nullptr;
        if (loss.is_cpu()) {
          c10::SmallVector<GanSums, 32> partials(chunks_of(params));
          params.partials = partials.data();
          run_chunks(params, static_cast<int64_t>(partials.size()));
          finish(params);
          return;
        }
#ifdef FASTGAN_WITH_CUDA
        const c10::cuda::CUDAGuard guard(loss.device());
        const Workspace workspace(loss.device());
        params.partials = reinterpret_cast<GanSums*>(workspace.partials);
        params.ticket = workspace.ticket;
        run_cuda(params, workspace.stream);
#endif
      });
}

// Writes each side's gradient into `grads`.
void run_gradient(const Tensor& grad, const Side* sides, int count, Tensor* grads) {
  if (grads[0].is_meta()) return;
  const Tensor number = grad.to(loss_type(sides[0].logits));
  AT_DISPATCH_FLOATING_TYPES_AND2(
      at::kHalf, at::kBFloat16, sides[0].logits.scalar_type(), "gan_loss_backward", [&] {
        GanGradient<scalar_t> params{};
        for (int i = 0; i < count; ++i) {
          params.side[i] = sides[i].params<scalar_t>();
          params.side[i].grad_logits = grads[i].mutable_data_ptr<scalar_t>();
        }
        params.sides = count;
        params.grad = number.const_data_ptr<Arithmetic<scalar_t>>();
        if (number.is_cpu()) return run_chunks(params, chunks_of(params));
#ifdef FASTGAN_WITH_CUDA
        const c10::cuda::CUDAGuard guard(number.device());
        run_cuda(params, c10::cuda::getCurrentCUDAStream().stream());
#endif
      });
}

std::array<Side, 2> sides_of(const Tensor& real, const Tensor& fake,
                             const GanLossSettings& settings) {
  return {Side{dense(real), settings.real_target, settings.real_weight},
          Side{dense(fake), settings.fake_target, settings.fake_weight}};
}

std::tuple<Tensor, Tensor> gan_loss(const Tensor& real, const Tensor& fake,
                                    const GanLossSettings& settings) {
  check(ops::gan_loss::kName, real, fake);
  Tensor loss = at::empty({}, real.options().dtype(loss_type(real)));
  Tensor statistics = at::empty({4}, real.options().dtype(at::kFloat));
  const auto sides = sides_of(real, fake, settings);
  run_loss(sides.data(), 2, loss, statistics);
  return {std::move(loss), std::move(statistics)};
}

std::tuple<Tensor, Tensor> gan_loss_backward(const Tensor& grad, const Tensor& real,
                                             const Tensor& fake, const GanLossSettings& settings) {
  check(ops::gan_loss_backward::kName, real, fake);
  check_grad(ops::gan_loss_backward::kName, grad, real);
  const auto sides = sides_of(real, fake, settings);
  Tensor grads[] = {new_like(sides[0].logits), new_like(sides[1].logits)};
  run_gradient(grad, sides.data(), 2, grads);
  return {std::move(grads[0]), std::move(grads[1])};
}

Tensor generator_loss(const Tensor& fake, const GeneratorLossSettings& settings) {
  check_floating(ops::generator_loss::kName, "fake_logits", fake);
  Tensor loss = at::empty({}, fake.options().dtype(loss_type(fake)));
  const Side side{dense(fake), settings.target, settings.weight};
  run_loss(&side, 1, loss, Tensor());
  return loss;
}

Tensor generator_loss_backward(const Tensor& grad, const Tensor& fake,
                               const GeneratorLossSettings& settings) {
  check_floating(ops::generator_loss_backward::kName, "fake_logits", fake);
  check_grad(ops::generator_loss_backward::kName, grad, fake);
  const Side side{dense(fake), settings.target, settings.weight};
  Tensor result = new_like(side.logits);
  run_gradient(grad, &side, 1, &result);
  return result;
}

void register_row(torch::Library& m) {
  ops::gan_loss::implement<gan_loss>(m);
  ops::gan_loss_backward::implement<gan_loss_backward>(m);
  ops::generator_loss::implement<generator_loss>(m);
  ops::generator_loss_backward::implement<generator_loss_backward>(m);
}

}  // namespace

FASTGAN_REGISTER(register_row)

}  // namespace fastgan

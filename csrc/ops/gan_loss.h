#pragma once

#include <tuple>

#include "ops/op.h"

// Row gan_loss: its ops (ops/op.h) and their settings.

namespace fastgan {

// The discriminator's loss.
struct GanLossSettings {
  double real_target;
  double fake_target;
  double real_weight;
  double fake_weight;

  auto fields() const { return std::tie(real_target, fake_target, real_weight, fake_weight); }
  auto fields() { return std::tie(real_target, fake_target, real_weight, fake_weight); }
};

struct GeneratorLossSettings {
  double target;
  double weight;

  auto fields() const { return std::tie(target, weight); }
  auto fields() { return std::tie(target, weight); }
};

namespace ops {

// Of (real_logits, fake_logits): the loss and the statistics.
struct gan_loss
    : Op<gan_loss, std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&), GanLossSettings> {
  static constexpr const char* kName = "gan_loss";
};

// Of (grad, real_logits, fake_logits).
struct gan_loss_backward
    : Op<gan_loss_backward, std::tuple<Tensor, Tensor>(const Tensor&, const Tensor&, const Tensor&),
         GanLossSettings> {
  static constexpr const char* kName = "gan_loss_backward";
};

// Of fake_logits.
struct generator_loss : Op<generator_loss, Tensor(const Tensor&), GeneratorLossSettings> {
  static constexpr const char* kName = "generator_loss";
};

// Of (grad, fake_logits).
struct generator_loss_backward
    : Op<generator_loss_backward, Tensor(const Tensor&, const Tensor&), GeneratorLossSettings> {
  static constexpr const char* kName = "generator_loss_backward";
};

}  // namespace ops
}  // namespace fastgan

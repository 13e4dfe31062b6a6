#include <torch/library.h>

// The table of contents: every op's schema. A row X is found under the same name in csrc/kernels,
// csrc/kernels/cpu, csrc/kernels/cuda, csrc/ops, csrc/autograd and tests/ops. Backwards are ops
// too, differentiable by themselves.
//
// The tag keeps torch.compile from merging or recomputing ops that draw random numbers.

TORCH_LIBRARY(fastgan, m) {
  m.def(
      "bias_act_dropout(Tensor input, Tensor? bias, int channel_dim, float negative_slope, "
      "float gain, float? clamp, float p, bool feature, SymInt? seed, SymInt offset, "
      "Generator? generator, bool needs_state) -> (Tensor output, Tensor state)",
      {at::Tag::nondeterministic_seeded});
  m.def(
      "bias_act_dropout_(Tensor(a!) input, Tensor? bias, int channel_dim, float negative_slope, "
      "float gain, float? clamp, float p, bool feature, SymInt? seed, SymInt offset, "
      "Generator? generator, bool needs_state) -> Tensor state",
      {at::Tag::nondeterministic_seeded});
  m.def(
      "bias_act_dropout_backward(Tensor grad, Tensor state, SymInt[] stride, "
      "float negative_slope, float scale, bool has_active, bool has_positive) "
      "-> Tensor grad_input");

  // Element by element, and reduced to the mean or the sum. Without a target tensor target_value is
  // every element's.
  m.def(
      "bce_with_logits(Tensor input, Tensor? target, float target_value, Tensor? weight, "
      "Tensor? pos_weight) -> Tensor loss");
  m.def(
      "bce_with_logits_reduced(Tensor input, Tensor? target, float target_value, Tensor? weight, "
      "Tensor? pos_weight, bool mean) -> Tensor loss");
  m.def(
      "bce_with_logits_backward(Tensor grad, Tensor input, Tensor? target, float target_value, "
      "Tensor? weight, Tensor? pos_weight, bool mean) -> Tensor grad_input");

  // The same of probabilities.
  m.def("bce(Tensor input, Tensor? target, float target_value, Tensor? weight) -> Tensor loss");
  m.def(
      "bce_reduced(Tensor input, Tensor? target, float target_value, Tensor? weight, bool mean) "
      "-> Tensor loss");
  m.def(
      "bce_backward(Tensor grad, Tensor input, Tensor? target, float target_value, "
      "Tensor? weight, bool mean) -> Tensor grad_input");

  // D's loss of two means with D's statistics, and G's loss of one.
  m.def(
      "gan_loss(Tensor real_logits, Tensor fake_logits, float real_target, float fake_target, "
      "float real_weight, float fake_weight) -> (Tensor loss, Tensor statistics)");
  m.def(
      "gan_loss_backward(Tensor grad, Tensor real_logits, Tensor fake_logits, float real_target, "
      "float fake_target, float real_weight, float fake_weight) "
      "-> (Tensor grad_real, Tensor grad_fake)");
  m.def("generator_loss(Tensor fake_logits, float target, float weight) -> Tensor loss");
  m.def(
      "generator_loss_backward(Tensor grad, Tensor fake_logits, float target, float weight) "
      "-> Tensor grad_fake");
}

#include <torch/library.h>

#include <string>

// The schema of every op. Row X is found under the same name in csrc/kernels, csrc/kernels/cpu,
// csrc/kernels/cuda, csrc/ops (ops/X.h has the schemas' C++ side), csrc/autograd and tests/ops. A
// backward is an op too, and differentiable.

namespace {

// Of bias_act_dropout and bias_act_dropout_.
const std::string kBiasActDropoutSettings =
    "Tensor? bias, int channel_dim, float negative_slope, float gain, float? clamp, float p, "
    "bool feature, SymInt? seed, SymInt offset, Generator? generator, bool needs_state";

}  // namespace

TORCH_LIBRARY(fastgan, m) {
  // The tag keeps torch.compile from merging or recomputing ops that draw random numbers.
  m.def(("bias_act_dropout(Tensor input, " + kBiasActDropoutSettings +
         ") -> (Tensor output, Tensor state)")
            .c_str(),
        {at::Tag::nondeterministic_seeded});
  m.def(("bias_act_dropout_(Tensor(a!) input, " + kBiasActDropoutSettings + ") -> Tensor state")
            .c_str(),
        {at::Tag::nondeterministic_seeded});
  m.def(
      "bias_act_dropout_backward(Tensor grad, Tensor state, SymInt[] stride, "
      "float negative_slope, float scale, bool has_active, bool has_positive) "
      "-> Tensor grad_input");

  // Of logits: one loss an element, or their mean or sum. Without a target tensor target_value is
  // every element's target.
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

  // The discriminator's loss with its statistics, and the generator's loss.
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

  // The heads of a table's generator: a row is `scalars` numbers, then segments of these widths.
  m.def(
      "column_heads(Tensor input, int scalars, int[] widths, float tau, SymInt? seed, "
      "SymInt offset, Generator? generator) -> Tensor output",
      {at::Tag::nondeterministic_seeded});
  m.def(
      "column_heads_backward(Tensor grad, Tensor output, int scalars, int[] widths, float tau) "
      "-> Tensor grad_input");

  // The cross-entropy of the segments that hold the rows' conditions.
  m.def(
      "condition_loss(Tensor input, Tensor conditions, int scalars, int[] widths) -> Tensor loss");
  m.def(
      "condition_loss_backward(Tensor grad, Tensor input, Tensor conditions, int scalars, "
      "int[] widths) -> Tensor grad_input");

  // a @ b, plus the bias in each row; on a CPU in parts for up to `threads` threads. It has no
  // kernels of its own: torch multiplies.
  m.def("product(Tensor a, Tensor b, Tensor? bias, int threads) -> Tensor output");
  m.def("product_out(Tensor(a!) output, Tensor a, Tensor b, Tensor? bias, int threads) -> ()");
}

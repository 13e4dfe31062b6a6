#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/SmallVector.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/dynamo/compiled_autograd.h>

#include <array>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/tangents.h"

// A backward, as a node of autograd's graph:
//
//   struct XBackward {
//     static constexpr const char* kName = "FastganX";
//     static constexpr int kInputs = 1;  // of the forward
//     static constexpr int kSaved = 2;   // tensors, undefined ones included
//     static constexpr int kOutputs = 1; // of the forward, that have a gradient: the first ones
//     struct Constants {
//       double slope;
//       auto fields() { return std::tie(slope); }
//     };
//     static variable_list backward(const BackwardCall<XBackward>& call);
//   };
//
//   at::Tensor output = differentiable<XBackward>(op, {slope}, [&] { return run(inputs...); },
//                                                 inputs...);
//
// differentiable() saves the inputs. What saves other tensors calls its parts: needs_gradient(),
// below_autograd() and new_node().
//
// A formula that needs an output of the forward gets it with save_output(), after set_history().
//
// torch::autograd::Function does the same and takes longer: with nodes like this one the
// discriminator's loss of 2 x 64 logits, forward and backward, takes 1 / 2.3 of eager PyTorch's
// time, with a Function 1 / 2.05 (AMD EPYC, 1 thread, torch 2.13.0, 2026-11-20). And an undefined
// incoming gradient, which is one of zeros, stays undefined.

namespace fastgan {

using torch::autograd::edge_list;
using torch::autograd::variable_list;

template <class Formula>
struct BackwardCall {
  const variable_list& grads;  // one for each output of the forward; may be undefined
  const std::array<at::Tensor, Formula::kSaved>& saved;
  const typename Formula::Constants& constants;
  const std::array<bool, Formula::kInputs>& needs;  // whether an input needs a gradient
  const edge_list* edges;  // one for each input; null in a graph of compiled autograd
};

template <class Formula>
class BackwardNode : public torch::autograd::Node {
 public:
  using Constants = typename Formula::Constants;
  using Tensors = std::array<at::Tensor, Formula::kSaved>;

  BackwardNode(Constants constants, const Tensors& saved, edge_list inputs)
      : Node(std::move(inputs)), constants_(std::move(constants)) {
    for (int i = 0; i < Formula::kSaved; ++i) {
      saved_[i] = torch::autograd::SavedVariable(saved[i], /*is_output=*/false);
    }
  }

  // Saves an output whose history this node is. Saved like an input it would own the node that owns
  // it, and never be freed.
  void save_output(int i, const at::Tensor& output) {
    saved_[i] = torch::autograd::SavedVariable(output, /*is_output=*/true);
    is_output_[i] = true;
  }

  std::string name() const override { return Formula::kName; }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto& variable : saved_) variable.reset_data();
  }

  // Compiled autograd: see "Compiled Autograd" in torch/csrc/dynamo/compiled_autograd.h. Constants
  // become a part of its cache key, saved tensors inputs of its graph, and the graph calls
  // apply_packed().
  void compiled_args(torch::dynamo::autograd::CompiledNodeArgs& args) const override {
    for (int i = 0; i < Formula::kSaved; ++i) args.collect(saved_[i], is_output_[i]);
    std::apply([&](auto&... fields) { (args.collect(fields), ...); },
               const_cast<Constants&>(constants_).fields());
  }

  variable_list apply_with_saved(const variable_list& grads,
                                 torch::dynamo::autograd::SwapSavedVariables& swap) override {
    for (auto& variable : saved_) swap.before(variable);
    std::apply([&](auto&... fields) { (swap.before(fields), ...); }, constants_.fields());
    torch::dynamo::autograd::PackedArgs packed;
    for (const auto& tensor : unpack()) packed.pack(tensor);
    std::apply([&](auto&... fields) { (packed.pack(fields), ...); }, constants_.fields());
    packed.pack(needs());
    const std::vector<at::IValue>& args = packed.vec();
    const auto& compiler = torch::dynamo::autograd::getPyCompilerInterface();
    std::vector<at::TypePtr> types;
    for (const auto& arg : args) {
      types.push_back(arg.isTensor() ? at::TypePtr(at::TensorType::get()) : arg.type());
    }
    const std::string function =
        compiler->bind_function(swap.get_py_compiler(), name(), apply_packed, std::move(types),
                                /*is_custom_function=*/true, /*is_traceable=*/true);
    using Metadata = std::vector<std::optional<torch::autograd::InputMetadata>>;
    const at::IValue metadata = torch::dynamo::autograd::IValuePacker<Metadata>::pack(
        torch::dynamo::autograd::get_input_metadata(next_edges()));
    auto result = compiler->call_function(swap.get_py_compiler(), "apply_functional", function,
                                          grads, args, metadata);
    std::apply([&](auto&... fields) { (swap.after(fields), ...); }, constants_.fields());
    for (auto& variable : saved_) swap.after(variable);
    return result;
  }

 protected:
  variable_list apply(variable_list&& grads) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return Formula::backward({grads, unpack(), constants_, needs(), &next_edges()});
  }

 private:
  Tensors unpack() {
    Tensors tensors;
    for (int i = 0; i < Formula::kSaved; ++i) {
      tensors[i] = is_output_[i] ? saved_[i].unpack(getptr()) : saved_[i].unpack();
    }
    return tensors;
  }

  std::array<bool, Formula::kInputs> needs() const {
    std::array<bool, Formula::kInputs> result;
    for (int i = 0; i < Formula::kInputs; ++i) result[i] = task_should_compute_output(i);
    return result;
  }

  static variable_list apply_packed(const variable_list& grads,
                                    const std::vector<at::IValue>& args) {
    torch::dynamo::autograd::PackedArgs packed(args);
    Tensors tensors;
    for (auto& tensor : tensors) tensor = packed.unpack<at::Tensor>();
    Constants constants{};
    std::apply(
        [&](auto&... fields) { ((fields = packed.unpack<std::decay_t<decltype(fields)>>()), ...); },
        constants.fields());
    const auto needs = packed.unpack<std::array<bool, Formula::kInputs>>();
    return Formula::backward({grads, tensors, constants, needs, nullptr});
  }

  std::array<torch::autograd::SavedVariable, Formula::kSaved> saved_;
  std::array<bool, Formula::kSaved> is_output_{};
  Constants constants_;
};

// Of tensors and optional ones; undefined tensors require none.
inline bool requires_grad(const at::Tensor& tensor) { return tensor.requires_grad(); }
inline bool requires_grad(const std::optional<at::Tensor>& tensor) {
  return tensor.has_value() && tensor->requires_grad();
}

// Whether an op of these inputs needs a node.
template <class... Inputs>
bool needs_gradient(const char* op, const Inputs&... inputs) {
  check_no_tangent(op, inputs...);
  return at::GradMode::is_enabled() && (requires_grad(inputs) || ...);
}

template <class Run>
auto below_autograd(const Run& run) {
  const at::AutoDispatchBelowADInplaceOrView below;
  return run();
}

// torch counts references to a node in the node itself or, before 2.13, in a shared_ptr.
template <class Formula>
auto new_node_with_edges(typename Formula::Constants constants,
                         const typename BackwardNode<Formula>::Tensors& saved, edge_list inputs) {
  using Node = BackwardNode<Formula>;
  if constexpr (std::is_base_of_v<c10::intrusive_ptr_target, Node>) {
    return c10::make_intrusive<Node>(std::move(constants), saved, std::move(inputs));
  } else {
    return std::make_shared<Node>(std::move(constants), saved, std::move(inputs));
  }
}

template <class Formula, class... Inputs>
auto new_node(typename Formula::Constants constants,
              const typename BackwardNode<Formula>::Tensors& saved, const Inputs&... inputs) {
  static_assert(sizeof...(inputs) == Formula::kInputs);
  return new_node_with_edges<Formula>(std::move(constants), saved,
                                      torch::autograd::collect_next_edges(inputs...));
}

// A tensor to save, undefined where there is none.
inline const at::Tensor& to_save(const at::Tensor& tensor) { return tensor; }
inline at::Tensor to_save(const std::optional<at::Tensor>& tensor) {
  return tensor.value_or(at::Tensor());
}

template <int count>
variable_list first_outputs(const at::Tensor& output) {
  static_assert(count == 1);
  return {output};
}
template <int count>
variable_list first_outputs(const std::tuple<at::Tensor, at::Tensor>& outputs) {
  static_assert(count == 1 || count == 2);
  if constexpr (count == 1) return {std::get<0>(outputs)};
  return {std::get<0>(outputs), std::get<1>(outputs)};
}

// What `run` returns, an op of these inputs. If one of them needs a gradient, it is a node of
// Formula, which saves all of them.
template <class Formula, class Run, class... Inputs>
auto differentiable(const char* op, typename Formula::Constants constants, const Run& run,
                    const Inputs&... inputs) {
  const bool wanted = needs_gradient(op, inputs...);
  auto result = below_autograd(run);
  if (wanted) {
    torch::autograd::set_history(
        first_outputs<Formula::kOutputs>(result),
        new_node<Formula>(std::move(constants), {to_save(inputs)...}, inputs...));
  }
  return result;
}

}  // namespace fastgan

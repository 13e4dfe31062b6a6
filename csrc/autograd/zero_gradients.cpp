#include "autograd/zero_gradients.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

namespace fastgan {
namespace {

using torch::autograd::AccumulateGrad;
using torch::autograd::Edge;
using torch::autograd::edge_list;
using torch::autograd::Node;
using ExecInfo = torch::autograd::GraphTask::ExecInfo;

// Hooks get None for an undefined gradient, which they do not expect.
bool has_hooks(Node& node) {
  return !node.tensor_pre_hooks().empty() || !node.retains_grad_hooks().empty() ||
         !node.pre_hooks().empty() || !node.post_hooks().empty() ||
         node.tensor_post_acc_grad_hooks() != nullptr;
}

// Makes zeros of an undefined gradient that torch.autograd.grad was asked for.
class ZerosIfUndefined : public ExecInfo::Capture::GradCaptureHook {
 public:
  explicit ZerosIfUndefined(torch::autograd::InputMetadata metadata)
      : metadata_(std::move(metadata)) {}

  at::Tensor operator()(const at::Tensor& grad) override {
    return grad.defined() ? grad : metadata_.zeros_like();
  }

 private:
  torch::autograd::InputMetadata metadata_;
};

void fill_leaves(const edge_list& leaves) {
  for (const Edge& edge : leaves) {
    const at::Tensor& leaf = static_cast<AccumulateGrad*>(edge.function.get())->variable;
    if (!leaf.requires_grad() || leaf.grad().defined()) continue;
    leaf.mutable_grad() = at::zeros_like(leaf.detach());
  }
}

// The nodes that zeros of this thread's running backward would reach. Each is visited once in a
// backward.
class Reached {
 public:
  explicit Reached(int task) : task_(task) {}

  int task() const { return task_; }

  // Visits what is reached from `inputs`; returns whether one of all nodes so far has hooks.
  bool visit(const edge_list& inputs) {
    const auto* executed = torch::autograd::get_current_graph_task_exec_info();
    edge_list pending = inputs;
    while (!pending.empty()) {
      const Edge edge = std::move(pending.back());
      pending.pop_back();
      Node* const node = edge.function.get();
      if (node == nullptr || !visited_.insert(node).second) continue;
      // Empty: all nodes are executed.
      if (executed != nullptr && !executed->empty()) {
        const auto found = executed->find(node);
        if (found == executed->end()) continue;
        fill_captures(*node, found->second);
        if (!found->second.needed_) continue;
      }
      hooks_ = hooks_ || has_hooks(*node);
      if (dynamic_cast<AccumulateGrad*>(node) != nullptr) fill_later(edge);
      for (const Edge& next : node->next_edges()) pending.push_back(next);
    }
    return hooks_;
  }

 private:
  // No thread reads the captures of a node before all nodes that lead to it are done.
  void fill_captures(Node& node, const ExecInfo& info) {
    if (info.captures_ == nullptr) return;
    hooks_ = hooks_ || has_hooks(node);
    for (auto& capture : *info.captures_) {
      capture.DO_NOT_USE_DEPRECATED_register_capture_hook(
          std::make_unique<ZerosIfUndefined>(node.input_metadata(capture.input_idx_)));
    }
  }

  void fill_later(const Edge& leaf) {
    std::shared_ptr<edge_list> leaves = leaves_.lock();
    if (leaves == nullptr) {
      leaves = std::make_shared<edge_list>();
      leaves_ = leaves;
      torch::autograd::Engine::get_default_engine().queue_callback(
          [leaves] { fill_leaves(*leaves); });
    }
    leaves->push_back(leaf);
  }

  int task_;
  bool hooks_ = false;
  std::unordered_set<Node*> visited_;
  std::weak_ptr<edge_list> leaves_;  // the callback's, so that no leaf outlives its backward here
};

}  // namespace

bool zero_gradients_are_seen(const edge_list& inputs) {
  // Third derivatives are wanted: the zeros are a part of the graph.
  if (at::GradMode::is_enabled()) return true;
  const int task = torch::autograd::get_current_graph_task_id();
  if (task < 0) return true;  // called by hand
  static thread_local Reached reached(task);
  if (reached.task() != task) reached = Reached(task);
  return reached.visit(inputs);
}

}  // namespace fastgan

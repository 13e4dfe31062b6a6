#pragma once

#include <torch/csrc/autograd/function.h>

namespace fastgan {

// For a node whose gradients for `inputs` are zero: whether they have to be tensors. If not, the
// node leaves them undefined, which costs neither memory nor kernels from there on. Then the leaves
// that got no other gradient are given their zeros at the end of the backward, and so are the
// tensors that torch.autograd.grad was asked for.
//
// The gradient penalty of a critic of linear layers and leaky ReLU is why: torch carries zeros
// through the whole critic, for gradients that other terms make.
bool zero_gradients_are_seen(const torch::autograd::edge_list& inputs);

}  // namespace fastgan

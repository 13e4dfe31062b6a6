"""Run every kernel on small tensors: python benchmarks/gpu_small.py [--reductions | --profile].

For compute-sanitizer, under which everything is slow: all kernels, or the reductions, which alone share memory. For
Nsight Compute, with --profile: the five kernels that matter on large tensors, each once.
"""

import argparse

import torch

from fastgan import functional as FF

DEVICE, LARGE = "cuda", 1 << 26


def losses(y, target):
    """Every reduction."""
    loss, _ = FF.discriminator_loss(y, target)
    loss = loss + FF.generator_loss(y) + FF.binary_cross_entropy_with_logits(y, 0.9)
    return loss + FF.binary_cross_entropy(y.sigmoid(), 0.9)


def columns(dtype, rows):
    """The heads of a table and the loss of its conditions; segments that a team of lanes holds, and longer ones."""
    for scalars, widths in ((5, (3, 1, 7)), (1, (300, 2, 40))):
        x = torch.randn(rows, scalars + sum(widths), device=DEVICE).to(dtype).requires_grad_()
        conditions = torch.arange(rows, device=DEVICE) % sum(widths)
        y = FF.column_heads(x, scalars, widths)
        (y.square().sum() + FF.condition_loss(x, conditions, scalars, widths)).backward()


def reductions(dtype):
    """One block and several, whose last one adds up."""
    for rows in (9, 1001):
        columns(dtype, rows)
    for size in (9, 9001):
        losses(torch.randn(size, device=DEVICE).to(dtype), torch.randn(size, device=DEVICE).to(dtype))


def all_kernels(dtype):
    """Tails, whole tiles of 512 elements, addresses that 16-byte accesses may use or not, each order of a bias."""
    for size in (9, 4099):
        x = torch.randn(size, device=DEVICE).to(dtype)
        for leaf in (x.clone(), torch.cat([x, x])[size:]):
            leaf.requires_grad_()
            y = FF.leaky_relu_dropout(leaf, 0.2, 0.3, gain=1.4)
            y = FF.leaky_relu_dropout(y, 0.0, 0.3, clamp=1.5)
            losses(y, leaf).backward()
    columns(dtype, 33)
    bias = torch.randn(24, device=DEVICE, requires_grad=True)
    for shape in ((50, 24), (3, 24, 7, 9), (3, 24, 2)):
        images = torch.randn(shape, device=DEVICE).to(dtype).requires_grad_()
        FF.leaky_relu_dropout(images, 0.2, 0.3, bias=bias).sum().backward()
    FF.leaky_relu_dropout(images, 0.2, 0.3, bias=bias, feature=True).sum().backward()


def profiled():
    """The forward in float32 and bfloat16, the backward in both, D's loss; the first calls load the module."""

    def forward_and_backward(dtype, elements):
        x = torch.randn(elements, device=DEVICE, dtype=dtype, requires_grad=True)
        y = FF.leaky_relu_dropout(x, 0.2, 0.3, seed=1)
        torch.autograd.grad(y, x, torch.ones_like(y))

    def d_loss(elements):
        FF.discriminator_loss(torch.randn(elements, device=DEVICE), torch.randn(elements, device=DEVICE))

    for elements in (1 << 12, LARGE):
        if elements == LARGE:
            torch.cuda.synchronize()
            torch.cuda.profiler.start()
        for dtype in (torch.float32, torch.bfloat16):
            forward_and_backward(dtype, elements)
        d_loss(elements // 2)
    torch.cuda.synchronize()
    torch.cuda.profiler.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reductions", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.profile:
        return profiled()
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        (reductions if options.reductions else all_kernels)(dtype)
    torch.cuda.synchronize()


if __name__ == "__main__":
    main()

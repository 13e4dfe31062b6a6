"""Time fastgan against other libraries, as far as they are installed: python benchmarks/peers.py.

- JAX: the layer and the loss in `jax.numpy`, forward and backward in one jitted function. XLA may fuse the two passes,
  which it could not if other layers came between them. JAX runs on all processors, whatever --threads says.
- Triton (on a GPU): low-memory dropout, after Triton's tutorial of that name: the backward draws the mask again from
  its seed, so that no mask is stored. Leaky ReLU comes before it, and the backward needs the sign of its input.

A peer that is not installed, or not for this device, is named and left out.
"""

import argparse
import importlib.util
import os
from pathlib import Path

import torch

from fastgan import bench
from fastgan.bench import _tables
from fastgan.bench._workloads import SLOPE, WORKLOADS, P, forward_backward

try:  # here, as a Triton kernel looks its names up in the module
    import triton
    import triton.language as tl
except ImportError:
    triton = None

ELEMENTS, LOGITS = 1 << 22, 2 * 57_600


def jax_works(device):
    """Leaky ReLU with dropout, and D's loss, by JAX, as functions from torch's inputs and gradient to a work."""
    import jax
    import jax.numpy as jnp

    if (jax.default_backend() == "gpu") != (device == "cuda"):
        raise RuntimeError(f"JAX's default device is {jax.default_backend()}")

    @jax.jit
    def layer(key, x, grad):
        key, own = jax.random.split(key)
        keep = jax.random.bernoulli(own, 1 - P, x.shape)
        y, back = jax.vjp(lambda x: jnp.where(keep, jnp.where(x > 0, x, SLOPE * x) / (1 - P), 0), x)
        return key, y, back(grad)[0]

    @jax.jit
    def loss(real, fake):
        def total(real, fake):
            return jax.nn.softplus(-real).mean() + jax.nn.softplus(fake).mean()

        return jax.value_and_grad(total, argnums=(0, 1))(real, fake)

    def layer_work(x, grad):
        state = {"key": jax.random.key(0)}
        arrays = [jnp.asarray(tensor.detach().cpu().numpy()) for tensor in (x, grad)]

        def work():
            state["key"], y, own = layer(state["key"], *arrays)
            jax.block_until_ready((y, own))
            return y, own

        return work

    def loss_work(real, fake, grad):
        arrays = [jnp.asarray(tensor.detach().cpu().numpy()) for tensor in (real, fake)]
        return lambda: jax.block_until_ready(loss(*arrays))

    return {"leaky_relu_dropout": layer_work, "discriminator_loss": loss_work}


def triton_works(device):
    """Leaky ReLU with dropout by Triton, as `jax_works` has it."""
    if triton is None:
        raise RuntimeError("not installed")
    if device != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        raise RuntimeError("needs a GPU")

    @triton.jit
    def kernel(x_pointer, grad_pointer, out_pointer, n, seed, p, slope, backward: tl.constexpr, block: tl.constexpr):
        at = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
        inside = at < n
        x = tl.load(x_pointer + at, mask=inside)
        keep = tl.rand(seed, at) >= p
        # Both passes scale linearly: the forward its input, the backward its gradient.
        value = tl.load(grad_pointer + at, mask=inside) if backward else x
        value = tl.where(x > 0, value, value * slope) / (1 - p)
        tl.store(out_pointer + at, tl.where(keep, value, 0.0), mask=inside)

    def launch(x, grad, seed):
        out = torch.empty_like(x)
        grid = (triton.cdiv(x.numel(), 1024),)
        kernel[grid](x, x if grad is None else grad, out, x.numel(), seed, P, SLOPE, grad is not None, 1024)
        return out

    class LowMemoryDropout(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.seed = int(torch.randint(2**31, ()))
            return launch(x, None, ctx.seed)

        @staticmethod
        def backward(ctx, grad):
            return launch(ctx.saved_tensors[0], grad.contiguous(), ctx.seed)

    return {"leaky_relu_dropout": lambda x, grad: forward_backward(LowMemoryDropout.apply, (x,), grad)}


PEERS = {"jax": jax_works, "triton": triton_works}


def installed(device):
    """The works of each peer that is installed and fits the device; prints which peers are left out."""
    found = {}
    for name, works in PEERS.items():
        try:
            if importlib.util.find_spec(name) is None:
                raise RuntimeError("not installed")
            found[name] = works(device)
        except (ImportError, RuntimeError) as error:
            print(f"{name}: left out: {error}")
    return found


def case(name, elements, peers, threads):
    """A case of one workload, forward and backward, with the peers that have it."""
    workload = WORKLOADS[name]

    def make(device):
        inputs = workload.inputs(elements, torch.float32, device)
        output = workload.fused(*inputs)
        grad = torch.randn_like(output) if output.dim() else torch.ones_like(output)
        layers = {"fastgan": workload.fused, "eager": workload.eager}
        own = {who: forward_backward(layer, inputs, grad) for who, layer in layers.items()}
        return own | {peer: works[name](*inputs, grad) for peer, works in peers.items() if name in works}

    shape = f"{elements / 1e6:.1f} M fp32" if name == "leaky_relu_dropout" else "2 x 57,600 fp32"
    return bench.Case(
        f"{name}, forward + backward, {shape}", make, threads, workload.bytes(elements, torch.float32, "both")
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=bench.cores(), help="CPU threads of fastgan and PyTorch")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    options = parser.parse_args()
    torch.manual_seed(0)
    bench.keep_freed_memory()
    peers = installed(options.device)
    if not peers:
        parser.exit(0, "no peer is installed; try pip install jax\n")
    cases = [
        case(*each, peers, options.threads)
        for each in (("leaky_relu_dropout", ELEMENTS), ("discriminator_loss", LOGITS))
    ]
    results = bench.measure_cases(cases, options.device, rounds=options.rounds, show=lambda result: None)
    _tables.show_results(results)
    if options.json:
        versions = {name: importlib.import_module(name).__version__ for name in peers}
        bench.write_json(options.json, options.device, results, {"suite": "peers", "versions": versions})


if __name__ == "__main__":
    main()

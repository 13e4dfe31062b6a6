"""Time gradient penalties of a critic of Linear and leaky ReLU: python benchmarks/penalties.py.

WGAN-GP and R1 differentiate the critic's gradient. With and without dropout, fastgan's layers against torch's.
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from fastgan import bench
from fastgan import nn as fnn
from fastgan.losses import gradient_penalty, r1_penalty


def critic(layers, p, width):
    """A critic from (N, width) to (N, 1). `layers` is torch.nn or fastgan.nn."""
    blocks = []
    for _ in range(3):
        blocks += [nn.Linear(width, width), layers.LeakyReLU(0.2), *([layers.Dropout(p)] if p else [])]
    return nn.Sequential(*blocks, nn.Linear(width, 1))


def case(name, p, options):
    def make(device):
        real = torch.randn(options.batch_size, options.width, device=device)
        fake = torch.randn_like(real)

        def work_of(layers):
            torch.manual_seed(0)
            model = critic(layers, p, options.width).to(device)

            def work():
                model.zero_grad(set_to_none=True)
                loss = r1_penalty(model, real) if name == "R1" else gradient_penalty(model, real, fake)
                loss.backward()

            return work

        return {"fastgan": work_of(fnn), "eager": work_of(nn)}

    dropout = f"dropout {p}" if p else "no dropout"
    title = f"{name} penalty of a critic with {dropout}, batch {options.batch_size}, width {options.width}"
    return bench.Case(title, make, options.threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=bench.cores())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bench.keep_freed_memory()
    cases = [case(name, p, options) for name in ("WGAN-GP", "R1") for p in (0.0, 0.3)]
    results = bench.measure_cases(cases, options.device, rounds=options.rounds, seconds=0.2)
    if options.json:
        bench.write_json(options.json, options.device, results)


if __name__ == "__main__":
    main()

"""Time a DCGAN discriminator, forward and backward, before and after fastgan.convert, and convert itself.

`python benchmarks/convert.py --help` lists the settings.

The network is that of Radford et al., "Unsupervised Representation Learning with DCGANs" (ICLR 2016), with dropout
after each activation, as many implementations have it: of elements in one case, of feature maps in the other.
"""

import argparse
import copy
from pathlib import Path

import torch
from torch import nn

import fastgan
from fastgan import bench


def discriminator(width, size, dropout):
    """From images (N, 3, size, size) to logits (N, 1, 1, 1)."""
    layers, channels = [], 3
    while size > 4:
        outputs = 2 * channels if channels > 3 else width
        layers.append(nn.Conv2d(channels, outputs, 4, 2, 1, bias=channels == 3))
        layers += [nn.BatchNorm2d(outputs)] if channels > 3 else []
        layers += [nn.LeakyReLU(0.2, inplace=True), dropout(0.25)]
        channels, size = outputs, size // 2
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 4))


def case(options, dropout):
    def make(device):
        eager = discriminator(options.width, options.size, dropout).to(device)
        fused = copy.deepcopy(eager)
        print(fastgan.convert(fused, (torch.randn(4, 3, options.size, options.size, device=device),)))
        images = torch.randn(options.batch_size, 3, options.size, options.size, device=device)

        def work_of(model):
            def work():
                model.zero_grad(set_to_none=True)
                model(images).sum().backward()

            return work

        return {"fastgan": work_of(fused), "eager": work_of(eager)}

    shape = f"batch {options.batch_size}, {options.size} x {options.size}, width {options.width}"
    return bench.Case(
        f"DCGAN discriminator with {dropout.__name__}, forward + backward, {shape}", make, options.threads
    )


def conversion(objects, threads):
    """What making and converting a small model takes."""

    def make(device):
        alive = [[number] for number in range(objects)]  # what a user's data may be

        def work():
            model = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(64, 1)).to(device)
            fastgan.convert(model)
            return alive

        return {"fastgan": work}

    return bench.Case(f"convert() of a small model with {objects:,} objects alive", make, threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=bench.cores())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--size", type=int, default=64, help="pixels of a side")
    parser.add_argument("--width", type=int, default=32, help="channels of the first convolution")
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    bench.keep_freed_memory()
    cases = [case(options, nn.Dropout), case(options, nn.Dropout2d)]
    cases += [conversion(objects, options.threads) for objects in (0, 2_000_000)]
    results = bench.measure_cases(cases, options.device, rounds=options.rounds, seconds=0.2)
    if options.json:
        bench.write_json(options.json, options.device, results)


if __name__ == "__main__":
    main()

"""The figures that matter most on a GPU, the most wanted ones first: python benchmarks/gpu_figures.py ops|steps.

`ops` times leaky ReLU with dropout, forward and backward, in float32 and bfloat16, from 2^22 to 2^28 elements, then D's
loss, BCE and the heads of tables, against eager PyTorch, torch.compile, a copy of the same bytes and, where it is
installed, Triton. `steps` times the MLP GAN and DCGAN-64 in float32 and bfloat16: a plain loop, a compiled one, the
trainer without and with a CUDA graph. It times the recipes r3gan and rpgan by the trainer alone. The JSON is written
anew after each case, so a run that is cut short loses only the cases after that.
benchmarks/gpu_check.sh runs both.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import peers
import torch

import _steps
from fastgan import bench
from fastgan.bench import _harness, _sweep
from fastgan.bench._results import line
from fastgan.bench._table_cases import heads_case
from fastgan.data import Data
from fastgan.train import GANTrainer, TrainConfig

ACTIVATION, D_LOSS, BCE = "leaky_relu_dropout", "discriminator_loss", "bce_with_logits"
SIZES = (1 << 22, 1 << 25, 1 << 28)


def op_cases(sizes=SIZES, logits=1 << 25):
    """The cases of `ops`. torch.compile takes seconds for each, so the middle size goes without it."""

    def case(name, elements, dtype, passes, compile=True):
        return _sweep._case(name, "gpu", 1, passes=passes, elements=elements, dtype=dtype, compile=compile)

    passes = ("forward", "backward")
    cases = [case(ACTIVATION, sizes[-1], dtype, each) for dtype in ("fp32", "bf16") for each in passes]
    cases += [case(D_LOSS, logits, "fp32", each) for each in passes]  # real and generated logits together
    cases += [case(ACTIVATION, sizes[0], dtype, each) for dtype in ("fp32", "bf16") for each in passes]
    cases += [
        case(ACTIVATION, size, dtype, each, False)
        for size in sizes[1:-1]
        for dtype in ("fp32", "bf16")
        for each in passes
    ]
    cases += [case(f"{ACTIVATION}(bias)", sizes[-1], dtype, "forward", False) for dtype in ("fp32", "bf16")]
    cases += [case(BCE, logits, "fp32", each) for each in passes]
    cases += [heads_case(1, rows) for rows in (500, 1 << 14)]
    found = {name: works for name, works in peers.installed("cuda").items() if name == "triton"}
    return cases + ([peers.case(ACTIVATION, sizes[0], found, 1)] if found else [])


def step_cases(problems=(_steps.MLP, _steps.DCGAN_64)):
    """The cases of `steps`: each problem once, the recipes for images, then each problem in its other precision."""
    names = ("fp32", "bf16")
    first, last = (
        [_step_case(*case) for case in zip(problems, order, strict=False)] for order in (names, reversed(names))
    )
    recipes = [_recipe_case(name, shape) for name in ("r3gan", "rpgan") for shape in ((1, 28, 28), (3, 64, 64))]
    return [*first, *recipes, *last]


def _step_case(problem, precision):
    def make(device):
        fast = partial(_steps.fast_step, problem, device, precision=precision)
        plain = partial(_steps.PlainLoop, problem, device, precision)
        return {
            "fastgan": fast(cuda_graph="auto"),
            "fastgan without a graph": fast(cuda_graph="off"),
            "plain loop": plain(),
            "compiled loop": plain(compiled=True),
        }

    return bench.Case(f"{problem.name}, {precision}", make, 1)


def _recipe_case(recipe, sample_shape):
    """A recipe's step at its own settings, on random samples."""
    data = replace(_steps.MLP, sample_shape=sample_shape).data()

    def make(device):
        return {
            name: GANTrainer(TrainConfig(recipe=recipe, device=device, cuda_graph=graph), data=Data(data)).step
            for name, graph in (("fastgan", "auto"), ("fastgan without a graph", "off"))
        }

    return bench.Case(f"recipe {recipe}, {' x '.join(map(str, sample_shape))}", make, 1)


def write(path, content):
    """Replace the file at once: a reader, or the end of the time, meets a whole one."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(content, indent=1) + "\n")
    unfinished.replace(path)


def run(cases, path, within, device="cuda", **pace):
    """Measure the cases that begin within so many seconds; returns the names of those left out, with their reasons."""
    deadline, skipped = time.monotonic() + within, {}
    content = {"machine": bench.machine(device), "results": [], "skipped": skipped}
    content["copy_gigabytes_per_second"] = copy = _harness.copy_bandwidth(
        device, 1, elements=pace.pop("copied", 1 << 28)
    )
    write(path, content)

    def keep(result):
        content["results"].append(asdict(result))
        write(path, content)
        print(line(result), flush=True)

    bench.measure_cases(cases, device, show=keep, copies={1: copy}, deadline=deadline, skipped=skipped, **pace)
    write(path, content)
    return skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["ops", "steps"])
    parser.add_argument("--seconds", type=float, required=True, help="no case begins later")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("gpu_figures: expected a GPU, got none; no figure was measured")
    torch.manual_seed(0)
    pace = {"rounds": 9, "seconds": 0.02, "limit": 1.5} if options.what == "ops" else {"rounds": 5, "seconds": 0.2}
    cases = op_cases() if options.what == "ops" else step_cases()
    for name, reason in run(cases, options.json, options.seconds, **pace).items():
        print(f"left out: {name}: {reason}")


if __name__ == "__main__":
    main()

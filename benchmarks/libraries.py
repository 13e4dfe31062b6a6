"""Time training steps of other people's models before and after fastgan.convert.

The packages are expected to be installed; what is missing is left out and named. This brings them, besides what they
need for other work than these networks:

    pip install ctgan monai torch-geometric transformers dynamic-network-architectures

`--page` writes the table of a file of results into docs/libraries.md and measures nothing.
"""

import argparse
import copy
import importlib.metadata
import json
import time
from pathlib import Path

import torch
from _library_models import MODELS
from _pages import DOCS, write_between
from torch.nn.modules.module import register_module_forward_pre_hook

import fastgan
from fastgan import bench
from fastgan.bench._results import duration

TARGET = bench.Target("eager", 0.98)  # no model is to become slower
PARTS = ("swapped", "fused", "unfused", "skipped", "unreached")


def step_of(model, network):
    """A training step with Adam for each loss."""
    optimizer = torch.optim.Adam(network.parameters(), 2e-4)

    def step():
        losses = model.losses(network)
        optimizer.zero_grad(set_to_none=True)
        for loss in losses:
            loss.backward(retain_graph=loss is not losses[-1])
        optimizer.step()

    return step


def counts(report):
    """How many entries each list of a report has."""
    return {part: len(getattr(report, part)) for part in PARTS}


def case(name, options, conversions):
    """The case of one model; `conversions` gets what `convert` did."""
    make_model, package = MODELS[name]

    def make(device):
        torch.manual_seed(0)
        model = make_model(options.small)
        converted = copy.deepcopy(model.network)
        report = fastgan.convert(converted, model.inputs, trace=model.trace)
        conversions[name] = {**counts(report), "package": f"{package} {importlib.metadata.version(package)}"}
        return {"fastgan": step_of(model, converted), "eager": step_of(model, model.network.train())}

    return bench.Case(f"{name}, a training step", make, options.threads, targets=(TARGET,))


class ConvertsAtFirstUse:
    """Converts networks that a library makes inside a call: each outermost module, when it runs for the first time."""

    def __init__(self, networks):
        self.reports, self._left, self._busy = [], networks, False

    def __enter__(self):
        self._hook = register_module_forward_pre_hook(self._convert)
        return self

    def __exit__(self, *_):
        self._hook.remove()

    def _convert(self, module, _):
        if self._busy or any(type(module).__module__.startswith(name) for name in ("torch.", "fastgan.")):
            return
        self._hook.remove()  # a hook on all modules would see the value between two fused layers
        self.reports.append(fastgan.convert(module))
        self._left -= 1
        if self._left:
            self._hook = register_module_forward_pre_hook(self._convert)


def ctgan_case(options, conversions):
    """`CTGAN.fit` from the outside: the same call with and without a conversion of the networks that it makes."""

    def make(device):
        import ctgan
        import numpy as np
        import pandas as pd

        rng = np.random.default_rng(0)
        rows = 100 if options.small else 2000
        table = pd.DataFrame({f"x{i}": rng.normal(size=rows) for i in range(4)} | {"c": rng.integers(0, 5, rows)})

        def fit():
            torch.manual_seed(0)
            model = ctgan.CTGAN(epochs=1 if options.small else 5, batch_size=100 if options.small else 500)
            model.fit(table, ["c"])

        def fit_converted():
            with ConvertsAtFirstUse(networks=2) as converter:
                fit()
            parts = [counts(report) for report in converter.reports]
            conversions["ctgan"] = {
                **{part: sum(each[part] for each in parts) for part in PARTS},
                "package": f"ctgan {importlib.metadata.version('ctgan')}",
            }

        return {"fastgan": fit_converted, "eager": fit}

    return bench.Case("ctgan, a short fit", make, options.threads, targets=(TARGET,))


def table(content):
    """The lines of the table of a file of results."""
    about = content["machine"]
    yield "| model | package | swapped | fused | out of reach | PyTorch | converted | ratio | noise |"
    yield "|---" * 9 + "|"
    for result in content["results"]:
        name = result["name"].split(",")[0]
        did = content["conversions"][name]
        times = [duration(result["seconds"][which]) for which in ("eager", "fastgan")]
        cells = [name, did["package"], did["swapped"], did["fused"], did["unreached"], *times]
        yield f"| {' | '.join(map(str, cells))} | {result['ratios']['eager']:.2f}x | {result['noise']:.1%} |"
    yield ""
    yield f"{about['device']}, {about['cores']} cores, torch {about['torch']}, {about['date']}."


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=bench.cores())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--limit", type=float, default=40.0, help="seconds of one model's rounds")
    parser.add_argument("--minutes", type=float, default=8.0, help="models that would begin later are left out")
    parser.add_argument("--small", action="store_true", help="tiny sizes: tries the script, and measures nothing real")
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    parser.add_argument("--page", action="store_true", help="write the table of the file --json into docs/libraries.md")
    options = parser.parse_args()
    if options.page:
        return write_between(DOCS / "libraries.md", "libraries", table(json.loads(options.json.read_text())))
    torch.set_num_threads(options.threads)
    bench.keep_freed_memory()
    conversions, results, left_out = {}, [], {}
    cases = {name: case(name, options, conversions) for name in MODELS}
    cases["ctgan"] = ctgan_case(options, conversions)
    deadline = time.monotonic() + 60 * options.minutes
    for name, each in cases.items():
        if options.only not in name:
            continue
        try:
            settings = {"rounds": options.rounds, "seconds": 0.2, "limit": options.limit, "deadline": deadline}
            results += bench.measure_cases([each], "cpu", skipped=left_out, **settings)
        except ImportError as error:
            left_out[name] = str(error)
    for name, reason in left_out.items():
        print(f"{name}: left out: {reason}")
    if options.json:
        bench.write_json(options.json, "cpu", results, {"conversions": conversions, "left_out": left_out})
    return None


if __name__ == "__main__":
    main()

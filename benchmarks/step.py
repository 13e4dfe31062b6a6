"""Time whole training steps against a plain PyTorch loop: python benchmarks/step.py --help.

It has four parts: the step table, each row with its target; the images a second of every recipe; the time of a step by
batch size and by model size; scaling over processes, measured for 1 and 2 and compared with a cost model.
"""

import argparse
from pathlib import Path

import torch

import _scaling
import _steps
from fastgan import bench
from fastgan.train.recipes import RECIPES


def recipes(device, thread_counts, rounds):
    """The images a second of each recipe on the digits."""
    found = []
    for name in RECIPES:
        for threads in thread_counts:
            case, images = _steps.recipe_case(name, threads)
            took = bench.measure(case, device, rounds=rounds, seconds=0.2).seconds["fastgan"]
            found.append({"recipe": name, "threads": threads, "seconds": took, "images_per_second": images / took})
            print(
                f"{name:14}{threads} threads  {took * 1e3:8.2f} ms a step  {images / took:10,.0f} images/s", flush=True
            )
    return found


def sweep(problems, device, threads, rounds):
    """The times of the trainer and of the plain loop for each problem."""
    found = []
    for problem in problems:
        row = bench.measure(_steps.sweep_case(problem, threads), device, rounds=rounds, seconds=0.2).seconds
        found.append({"batch_size": problem.batch_size, "parameters": _steps.parameters(problem), "seconds": row})
        print(
            f"{problem.name:12}" + "".join(f"  {name} {took * 1e3:8.2f} ms" for name, took in row.items()), flush=True
        )
    return found


def plot(path, batches, widths, threads):
    """Draw both sweeps on log axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, rows, key, label in (
        (panels[0], batches, "batch_size", "batch size"),
        (panels[1], widths, "parameters", "parameters of both networks"),
    ):
        for name in rows[0]["seconds"]:
            panel.loglog([r[key] for r in rows], [r["seconds"][name] * 1e3 for r in rows], marker="o", label=name)
        panel.set_xlabel(label)
        panel.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("ms a step")
    panels[0].legend()
    figure.suptitle(f"MLP GAN, {threads} threads, torch {torch.__version__}")
    path.mkdir(parents=True, exist_ok=True)
    figure.savefig(path / "step-cost.png", dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=bench.cores())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="measure only the rows of the step table whose name contains this")
    parser.add_argument("--quick", action="store_true", help="3 rounds of the step table without torch.compile")
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    parser.add_argument("--plot", type=Path, help="draw the sweeps into this folder")
    options = parser.parse_args()
    bench.keep_freed_memory()
    torch.manual_seed(0)
    rounds = min(options.rounds, 3) if options.quick else options.rounds
    cases = _steps.step_cases(options.device, options.threads, compiled=not options.quick)
    cases = [case for case in cases if options.only in case.name]
    if not cases:
        parser.error(f"--only: expected a part of a row's name, got {options.only!r}")
    results = bench.measure_cases(cases, options.device, rounds=rounds, seconds=0.1 if options.quick else 0.3)
    extra = {}
    if not options.quick and not options.only:
        counts = [1] if options.device == "cuda" else sorted({1, options.threads})
        few = max(3, rounds // 3)
        extra["recipes"] = recipes(options.device, counts, few)
        for name, problems in (("batches", _steps.batch_sweep()), ("widths", _steps.width_sweep())):
            extra[name] = sweep(problems, options.device, options.threads, few)
        if options.device == "cpu":
            extra["scaling"] = _scaling.measure()
            print("\n".join(_scaling.report(extra["scaling"])))
        if options.plot:
            plot(options.plot, extra["batches"], extra["widths"], options.threads)
    if options.json:
        bench.write_json(options.json, options.device, results, extra)


if __name__ == "__main__":
    main()

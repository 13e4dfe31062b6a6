"""The tables and the targets of `benchmarks/images.py`, and their place in the pages."""

from collections.abc import Iterable
from typing import Any

from _image_results import measured_on
from _pages import DOCS, write_between

PAGE = DOCS / "image-quality.md"

# Modes of 1,000 and reverse KL on the full set of 70,000 digits, as published: DCGAN to VEEGAN in Srivastava et al.
# (2017), PacDCGAN in Lin et al. (2018), StyleGAN2 and R3GAN in Huang et al. (2024).
PUBLISHED = {
    "DCGAN": ("99.0", "3.40"),
    "ALI": ("16", "5.40"),
    "Unrolled GAN": ("48.7", "4.32"),
    "VEEGAN": ("150", "2.95"),
    "PacDCGAN2": ("1000", "0.06"),
    "PacDCGAN4": ("1000", "0.07"),
    "StyleGAN2": ("940", "0.42"),
    "R3GAN": ("1000", ""),
}
SCORES = ("fid", "precision", "recall", "coverage", "memory_share", "memory_ratio")

Content = dict[str, Any]


def table(content: Content) -> list[str]:
    """The lines of all tables, as Markdown."""
    lines = []
    scored = [name for name in content["runs"] if not name.startswith("stacked")]
    if scored:
        lines += _scores(content, scored)
    for name in content["runs"]:
        if name.startswith("stacked"):
            lines += _modes(content, name)
    return lines


def _scores(content: Content, names: list[str]) -> list[str]:
    lines = ["", "| set | recipe | FID | precision | recall | coverage | nearer than real | distance | images/s |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for name in names:
        lines.append(f"| {name} | real data | {_cells(content['real'][name], SCORES)} | |")
        for row, runs in content["runs"][name].items():
            means = {key: _mean(runs, key) for key in (*SCORES, "images_per_second")}
            first = next(iter(runs.values()))
            length = f"{first['minutes']:g} min" if first["minutes"] else f"{first['planned']:,} steps"
            label = f"{row}, {length}" + (f", {len(runs)} seeds" if len(runs) > 1 else "")
            lines.append(f"| {name} | {label} | {_cells(means, SCORES)} | {means['images_per_second']:,.0f} |")
    return lines


def _modes(content: Content, name: str) -> list[str]:
    real = content["real"][name]
    lines = ["", f"| {name} | modes | reverse KL | seconds |", "|---|---|---|---|"]
    lines += [f"| {method}, published, all digits | {modes} | {kl} | |" for method, (modes, kl) in PUBLISHED.items()]
    lines.append(f"| real samples (read with accuracy {real['accuracy']:.3f}) | {real['modes']} ")
    lines[-1] += f"| {real['reverse_kl']:.3f} | |"
    for row, runs in content["runs"][name].items():
        for seed, run in runs.items():
            cells = f"{run['modes']:.0f} | {run['reverse_kl']:.3f} | {run['seconds']:,.0f}"
            lines.append(f"| {row}, seed {seed} | {cells} |")
    return lines


def _cells(scores: dict[str, Any], names: tuple[str, ...]) -> str:
    cells = []
    for name in names:
        value = scores[name]
        cells.append("" if value is None else f"{value:.3f}" if name == "fid" else f"{value:.2f}")
    return " | ".join(cells)


def _mean(runs: dict[str, Any], name: str) -> float | None:
    values = [run[name] for run in runs.values()]
    return None if None in values else sum(values) / len(values)


def check(content: Content) -> dict[str, bool]:
    """The targets of the sets that have runs of the recipes they are of."""
    runs, real = content["runs"], content["real"]
    verdicts = {}
    if shipped := runs.get("mnist-28", {}).get("r3gan"):
        floor = real["mnist-28"]["fid"]
        verdicts["mnist-28: r3gan's FID at most four times that of real data"] = _mean(shipped, "fid") <= 4 * floor
        for score in ("precision", "coverage"):
            verdicts[f"mnist-28: r3gan's {score} at least 0.9"] = _mean(shipped, score) >= 0.9
        verdicts["mnist-28: at most 15 minutes a run"] = all(run["minutes"] <= 15 for run in shipped.values())
    pictures = runs.get("openmoji-64", {})
    for recipe in ("r3gan", "rpgan"):
        if {recipe, "dcgan"} <= set(pictures):
            held = _mean(pictures[recipe], "fid") <= _mean(pictures["dcgan"], "fid") / 3
            verdicts[f"openmoji-64: {recipe}'s FID at most a third of dcgan's"] = held
    few = runs.get("mnist-28-few", {})
    if len(few) == 2:
        plain, augmented = few["r3gan, no augmentation"], few["r3gan, DiffAugment"]
        nearer = _mean(augmented, "memory_share") < _mean(plain, "memory_share")
        verdicts["mnist-28-few: fewer samples nearer than real ones with DiffAugment"] = nearer
    return verdicts


def check_stacked(content: Content) -> dict[str, bool]:
    """The targets of Stacked MNIST."""
    runs = content["runs"].get("stacked-mnist", {}).get("rpgan", {}).values()
    if not runs:
        return {}
    return {
        "stacked-mnist: every seed of rpgan has all 1,000 modes": all(run["modes"] == 1000 for run in runs),
        "stacked-mnist: reverse KL at most 0.05": all(run["reverse_kl"] <= 0.05 for run in runs),
        "stacked-mnist: at most 40 minutes a run": all(run["minutes"] <= 40 for run in runs),
    }


def write_page(contents: Iterable[Content]) -> None:
    """Write the tables of each machine between the marks of the page, below the machine and the date."""
    lines: list[str] = []
    for content in contents:
        lines += [measured_on(content), *table(content), ""]
    write_between(PAGE, "images", lines)

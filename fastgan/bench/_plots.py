"""Plots of results: bars of ratios, and a roofline of memory traffic below the machine's copy bandwidth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastgan._support.extras import require
from fastgan._support.files import write_with
from fastgan.bench._results import Result

# The palette "bright" of Paul Tol, which colour-blind readers can tell apart.
COLOURS = {"eager": "#4477aa", "torch.compile": "#ee6677", "in place": "#228833", "copy": "#bbbbbb"}


def _figure(width: float, height: float) -> tuple[Any, Any]:
    """A figure and its axes, drawn without a display."""
    require("matplotlib", "bench")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def bars(results: Sequence[Result], path: Path, title: str) -> bool:
    """Draw how many times as long each peer takes: a bar for each ratio, on a log axis, hatched within the noise of 1.

    Returns False, and writes no file, where no result has a ratio.
    """
    rows = [result for result in results if any(peer in COLOURS for peer in result.ratios)]
    if not rows:
        return False
    count = sum(len(set(COLOURS) & set(result.ratios)) + 1 for result in rows)
    figure, axes = _figure(9, 1.2 + 0.17 * count)
    place, ticks = 0.0, []
    for result in rows:
        start = place
        for peer, colour in COLOURS.items():
            if peer not in result.ratios:
                continue
            value = result.ratios[peer]
            hatch = "////" if result.within_noise(peer) else None
            axes.barh(place, value - 1, 0.9, left=1, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
            axes.annotate(
                f" {value:.2g}x ", (value, place), va="center", ha="left" if value >= 1 else "right", fontsize=7
            )
            place += 1
        ticks.append(((start + place - 1) / 2, f"{result.name}, {result.threads} thr."))
        place += 0.8
    axes.set_xscale("log")
    values = [value for result in rows for peer, value in result.ratios.items() if peer in COLOURS]
    axes.set_xlim(min(0.5, min(values) * 0.6), max(values) * 1.8)
    axes.set_yticks([tick for tick, _ in ticks], [label for _, label in ticks], fontsize=7)
    axes.set_ylim(place, -1)  # the first result on top
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("peer's time over fastgan's; hatched: within noise", fontsize=8)
    axes.xaxis.set_major_formatter("{x:g}x")
    figure.suptitle(title, fontsize=8)
    present = [peer for peer in COLOURS if any(peer in result.ratios for result in rows)]
    axes.legend([_patch(COLOURS[peer]) for peer in present], present, fontsize=7, loc="lower right")
    write_with(path, lambda file: figure.savefig(file, format="png", dpi=90))
    return True


def _patch(colour: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour)


def roofline(results: Sequence[Result], copies: Mapping[int, float], path: Path, title: str) -> bool:
    """Draw the GB/s of necessary traffic against the bytes of a case, below the bandwidth of a copy.

    Memory bounds all cases here: they do little arithmetic on each byte. `copies` has the copy's GB/s by number of
    threads. Returns False, and writes no file, where no result has a traffic.
    """
    drawn = [result for result in results if result.gigabytes_per_second]
    if not drawn:
        return False
    figure, axes = _figure(7.5, 4.5)
    threads = sorted({result.threads for result in drawn})
    markers = "os^Dv"
    for index, number in enumerate(threads):
        colour, marker = f"C{index}", markers[index % len(markers)]
        where = f"{number} thread{'s' * (number > 1)}"
        for name, face in (("fastgan", colour), ("eager", "none")):
            own = [result for result in drawn if result.threads == number and name in result.seconds]
            moved = [result.gigabytes_per_second * result.seconds["fastgan"] * 1e9 for result in own]
            speed = [nbytes / result.seconds[name] / 1e9 for nbytes, result in zip(moved, own, strict=True)]
            label = f"{name}, {where}"
            axes.scatter(moved, speed, 18, facecolors=face, edgecolors=colour, marker=marker, label=label)
        if number in copies:
            axes.axhline(copies[number], color=colour, linestyle="--", linewidth=1, label=f"copy, {where}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("bytes that the work must read and write")
    axes.set_ylabel("GB/s of them (above the copy: within the caches)")
    figure.suptitle(title, fontsize=8)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    write_with(path, lambda file: figure.savefig(file, format="png", dpi=90))
    return True

"""Pictures of results: bars of ratios, and a roofline of traffic against the machine's copy."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastgan._support.extras import require
from fastgan.bench._results import Result

COLOURS = {
    "eager": "#4477aa",
    "plain loop": "#66ccee",
    "torch.compile": "#ee6677",
    "compiled loop": "#aa3377",
    "in place": "#228833",
    "copy": "#bbbbbb",
}  # told apart by all


def _figure(width: float, height: float) -> tuple[Any, Any]:
    """A figure and its axes, drawn without a display."""
    require("matplotlib", "bench")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def bars(
    groups: Mapping[str, Sequence[Result]], path: Path, title: str, metadata: Mapping[str, str] | None = None
) -> bool:
    """Draw how many times as long each peer takes, a bar each on a log axis; False, and no file, without a ratio.

    ``groups``: results by a name of their machine, empty for none. Ratios within the noise of 1 are hatched. The
    picture's text chunks take ``metadata``.
    """
    rows = [
        (f"{name}: {result.name}" if name else result.name, result)
        for name, results in groups.items()
        for result in results
        if any(peer in COLOURS for peer in result.ratios)
    ]
    if not rows:
        return False
    count = sum(len(set(COLOURS) & set(result.ratios)) + 1 for _, result in rows)
    figure, axes = _figure(9, 1.2 + 0.17 * count)
    place, ticks = 0.0, []
    for label, result in rows:
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
        ticks.append(((start + place - 1) / 2, f"{label}, {result.threads} thr."))
        place += 0.8
    axes.set_xscale("log")
    values = [value for _, result in rows for peer, value in result.ratios.items() if peer in COLOURS]
    axes.set_xlim(min(0.5, min(values) * 0.6), max(values) * 1.8)
    axes.set_yticks([tick for tick, _ in ticks], [label for _, label in ticks], fontsize=7)
    axes.set_ylim(place, -1)  # the first on top
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("peer's time over fastgan's; hatched: within noise", fontsize=8)
    axes.xaxis.set_major_formatter("{x:g}x")
    figure.suptitle(title, fontsize=8)
    present = [peer for peer in COLOURS if any(peer in result.ratios for _, result in rows)]
    axes.legend([_patch(COLOURS[peer]) for peer in present], present, fontsize=7, loc="lower right")
    _save(figure, path, metadata or {})
    return True


def _patch(colour: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour)


def roofline(results: Sequence[Result], copies: Mapping[int, float], path: Path, title: str) -> bool:
    """Draw GB/s of necessary traffic against the case's bytes, below the copy's bandwidth; False without any.

    All works here do so little arithmetic on a byte that memory is their roof.
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
        for way, face in (("fastgan", colour), ("eager", "none")):
            own = [result for result in drawn if result.threads == number and way in result.seconds]
            moved = [result.gigabytes_per_second * result.seconds["fastgan"] * 1e9 for result in own]
            speed = [nbytes / result.seconds[way] / 1e9 for nbytes, result in zip(moved, own, strict=True)]
            label = f"{way}, {where}"
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
    _save(figure, path, {})
    return True


def _save(figure: Any, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a PNG of 64 colours, which are enough for a chart, and a third of the size of all."""
    chunks = require("PIL.PngImagePlugin", "bench").PngInfo()
    for name, text in metadata.items():
        chunks.add_text(name, text)
    whole = io.BytesIO()
    figure.savefig(whole, dpi=90)
    picture = require("PIL.Image", "bench").open(whole).convert("RGB").quantize(64)
    picture.save(path, format="PNG", optimize=True, pnginfo=chunks)

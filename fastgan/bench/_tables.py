"""Tables on the terminal: by rich where it is installed, else plain text."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastgan._support.extras import require
from fastgan.bench._files import Change
from fastgan.bench._results import Result, duration

WIDTH = 180  # characters of a table that is not printed to a terminal
PEERS = ("eager", "in place", "torch.compile", "copy")
STYLES = {"pass": "green", "FAIL": "bold red", "REGRESSED": "bold red", "within noise": "yellow", "faster": "green"}


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, without its empty columns, columns of numbers aligned to the right."""
    lines = [list(row) for row in rows]
    if not lines:
        return
    kept = [index for index in range(len(header)) if index == 0 or any(row[index] != "-" for row in lines)]
    columns, lines = [header[index] for index in kept], [[row[index] for index in kept] for row in lines]
    if importlib.util.find_spec("rich") is None:
        _show_plain(title, columns, lines)
        return
    table = require("rich.table", "bench").Table(title=title, title_justify="left", box=_box())
    for index, column in enumerate(columns):
        left = index == 0 or column in ("target", "verdict")
        table.add_column(column, justify="left" if left else "right", overflow="fold")
    for row in lines:
        table.add_row(*(_styled(cell) for cell in row))
    width = None if sys.stdout.isatty() else WIDTH
    require("rich.console", "bench").Console(width=width, highlight=False).print(table)


def _box() -> Any:
    return require("rich.box", "bench").SIMPLE_HEAD


def _show_plain(title: str, header: Sequence[str], rows: list[list[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    print(f"\n{title}")
    for row in [list(header), *rows]:
        first, *others = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())


def _styled(cell: str) -> Any:
    text = require("rich.text", "bench").Text(cell)
    for start, style in STYLES.items():
        if cell.startswith(start):
            text.stylize(style)
    return text


def ratio(result: Result, peer: str) -> str:
    """How many times as long `peer` took as fastgan, or "within noise", or "-" where it was not timed."""
    if peer not in result.ratios:
        return "-"
    return "within noise" if result.within_noise(peer) else f"{result.ratios[peer]:.2f}x"


def target_rows(results: Iterable[Result]) -> list[list[str]]:
    """A row for each target: the case, the target, what was measured, the verdict."""
    rows = []
    for result in results:
        time = duration(result.seconds["fastgan"])
        for target, verdict in result.verdicts.items():
            value = measured(result, target)
            rows.append([result.name, str(result.threads), time, value, f"{result.noise:.1%}", target, verdict])
    return rows


def measured(result: Result, target: str) -> str:
    """The figure that decides about a target: the ratio to its peer, bytes saved, or launches."""
    if target.endswith("bytes saved an element"):
        return f"{result.bytes_saved['fastgan']:.3g}"
    if target.endswith("kernel launches"):
        return str(result.launches["fastgan"])
    peer = target.split(" x faster than ", 1)[-1].split(" x ", 1)[-1]
    return f"{result.ratios[peer]:.2f}x" if peer in result.ratios else "-"


def tally(results: Iterable[Result]) -> dict[str, int]:
    """How many targets pass, fail, and are within noise."""
    verdicts = [verdict for result in results for verdict in result.verdicts.values()]
    return {word: verdicts.count(word) for word in ("pass", "FAIL", "within noise")}


TARGET_HEADER = ("work", "threads", "fastgan", "measured", "noise", "target", "verdict")


def peers_of(results: Iterable[Result]) -> list[str]:
    """All peers of some results, those of `PEERS` first."""
    found = dict.fromkeys([*PEERS, *(peer for result in results for peer in result.ratios)])
    return list(found)


def result_header(peers: Sequence[str]) -> list[str]:
    """The header of `result_rows`."""
    after = ("GB/s", "of copy", "saved, eager's", "launches, eager's", "noise")
    return ["work", "threads", "fastgan", "quartiles", *peers, *after]


def result_rows(results: Iterable[Result], peers: Sequence[str]) -> list[list[str]]:
    """A row for each case: time, ratio to each peer, traffic, bytes saved, launches, noise."""
    return [
        [
            result.name,
            str(result.threads),
            duration(result.seconds["fastgan"]),
            _quartiles(result),
            *(ratio(result, peer) for peer in peers),
            f"{result.gigabytes_per_second:.1f}" if result.gigabytes_per_second else "-",
            "-" if result.share_of_copy is None else f"{result.share_of_copy:.0%}",
            _pair(result.bytes_saved, "{:.3g}"),
            _pair(result.launches, "{}"),
            f"{result.noise:.1%}",
        ]
        for result in results
    ]


def _quartiles(result: Result) -> str:
    return " - ".join(duration(value) for value in result.quartiles["fastgan"])


def _pair(values: Mapping[str, float], layout: str) -> str:
    if "fastgan" not in values:
        return "-"
    return ", ".join(layout.format(values[name]) for name in ("fastgan", "eager") if name in values)


def show_results(results: list[Result]) -> None:
    """Print all tables of a run: the targets, then all cases, those of the sweep by the factor that they vary."""
    show("Targets", TARGET_HEADER, target_rows(results))
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(str(result.labels.get("varied", "")), []).append(result)
    for varied, group in groups.items():
        title = {"": "Cases with targets", "centre": "All workloads, at the centre"}.get(varied, f"By {varied}")
        peers = peers_of(group)
        show(f"{title}: peers' times over fastgan's; bytes an element", result_header(peers), result_rows(group, peers))


CHANGE_HEADER = ("work", "threads", "before", "now", "now / before", "noise of both", "verdict")


def change_rows(changes: Iterable[Change]) -> list[list[str]]:
    """A row for each case of a comparison."""
    return [
        [
            change.name,
            str(change.threads),
            duration(change.old),
            duration(change.new),
            f"{change.ratio:.2f}",
            f"{change.noise:.1%}",
            change.verdict,
        ]
        for change in changes
    ]

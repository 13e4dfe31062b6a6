"""`write_report`: one page of one run or several."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastgan._support.extras import require
from fastgan._support.files import write_atomic
from fastgan.data import Data
from fastgan.data.table import TableSchema
from fastgan.metrics.report import evaluate
from fastgan.report.columns import MOST_COLUMNS, compare_columns, compare_tables, correlations
from fastgan.report.pictures import frames
from fastgan.report.records import Record, differing, read_record
from fastgan.report.samples import class_rows, interpolations, neighbours, translation_rows
from fastgan.train.pictures import is_image
from fastgan.train.run_data import run_data
from fastgan.train.run_folder import RunFolderError
from fastgan.train.saved_run import Run, load_run

__all__ = ["write_report"]

_PAGE = Path(__file__).parent / "page"  # the templates, the style and the script
_BUDGET = 3_000_000  # bytes of the frames of all runs together; the page stays under 5 MB
_ROWS = 5_000  # of the real data and of the samples, for neighbours and distributions
_SAMPLES = 2_000  # that are measured where `fastgan eval` has not run
_POINTS = 1_000  # of a curve
# The charts of a run: the title, and the statistics and their names.
_CHARTS = {
    "Losses": {"loss_d": "discriminator", "loss_g": "generator"},
    "Discriminator's probability": {"p_real": "real samples", "p_fake": "generated samples"},
    "Discriminator's accuracy": {"accuracy_real": "real samples", "accuracy_fake": "generated samples"},
    "FID": {"fid": "FID"},
}


def write_report(
    runs: Sequence[str | Path],
    out: str | Path | None = None,
    measure: bool = True,
    data: tuple[Data, Data | None] | None = None,
) -> Path:
    """Write one HTML page about runs, which needs no network and no other file.

    The page has the settings that are not the recipe's, curves, a slider through the sample grids, scores beside those
    of real data, the nearest training images of samples, interpolations and rows of classes; for a table the columns'
    distributions and correlations; for image to image rows of input, translation and target. Several runs are compared
    first.

    Args:
        runs: the run folders, one or more.
        out: the file to write; None is report.html in the first run's folder.
        measure: compute the scores where `fastgan eval` has not written them.
        data: the training data of all `runs`, where they are at hand, and those that are held out, or None; None reads
            those that each run's settings name.

    Returns:
        The file.

    Raises:
        RunFolderError: for a folder that is not a run folder.
        ValueError: for no run at all, or an `out` that does not end in .html.
        FileNotFoundError: if the folder of `out` does not exist.
        OSError: if the file cannot be written; an earlier one is untouched.
        MissingExtraError: without Jinja2 or Pillow.
    """
    if not runs:
        raise ValueError("report: expected one run folder or more, got none")
    folders = [Path(run).expanduser() for run in runs]
    target = Path(out).expanduser() if out is not None else folders[0] / "report.html"
    if target.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"report: expected --out to end in .html, got '{target}'")
    records = [read_record(folder) for folder in folders]
    if not target.parent.is_dir():
        raise FileNotFoundError(f"report: expected the folder {target.parent} of --out to exist")
    names = _distinct_names(records)
    sections = [
        _section(record, name, _BUDGET // len(records), measure, data)
        for record, name in zip(records, names, strict=True)
    ]
    page = _page(sections, records, names)
    write_atomic(target, page.encode())
    return target


def _distinct_names(records: list[Record]) -> list[str]:
    """The folders' names, or their whole paths where two folders have one name."""
    names = [record.name for record in records]
    return names if len(set(names)) == len(names) else [str(record.path) for record in records]


def _page(sections: list[dict[str, Any]], records: list[Record], names: list[str]) -> str:
    jinja2 = require("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = _number
    charts = {f"{i}": section["charts"] for i, section in enumerate(sections)}
    slides = {f"{i}": [dataclasses.asdict(f) for f in section["frames"]] for i, section in enumerate(sections)}
    if len(sections) > 1:
        charts["all"] = _compared(records, names)
    return str(
        environment.get_template("report.html").render(
            title=", ".join(names),
            sections=sections,
            names=names,
            differing=differing(records),
            scores=_score_names(sections),
            charts=charts,
            slides=slides,
            made=time.strftime("%Y-%m-%d %H:%M"),
            css=(_PAGE / "report.css").read_text(encoding="utf-8"),
            script=(_PAGE / "report.js").read_text(encoding="utf-8"),
        )
    )


def _section(
    record: Record, name: str, budget: int, measure: bool, given: tuple[Data, Data | None] | None
) -> dict[str, Any]:
    """All that the page shows of one run. What cannot be shown becomes a note."""
    notes = list(record.notes)
    shown, unreadable = frames(record.grids, budget)
    notes += unreadable
    charts = _charts(record)
    titles = [chart["title"] for chart in charts]
    section: dict[str, Any] = {
        "name": name,
        "record": record,
        "frames": shown,
        "alarms": record.alarms,
        "charts": charts,
        "below": titles.index("FID") if "FID" in titles else 0,  # the chart below the slider
        "scores": record.scores,
        "neighbours": [],
        "interpolations": [],
        "classes": [],
        "translations": [],
        "held_out": False,
        "columns": [],
        "correlations": None,
        "step": record.statistics[-1]["step"] if record.statistics else 0,
        "notes": notes,
    }
    try:
        run = load_run(record.path)
    except RunFolderError as error:
        notes.append(f"There is no generator to draw samples from: {error}.")
        return section
    section["step"] = run.step
    data = _training_data(run, notes) if given is None else given
    if data is not None and measure and not record.scores:
        section["scores"] = _measured(run, data, notes)
    if run.input_shape:
        if data is not None:
            _add_translations(section, run, *data)
    elif is_image(run.sample_shape):
        section["interpolations"], section["classes"] = interpolations(run), class_rows(run)
        if data is not None:
            section["neighbours"] = neighbours(run, data[0].subsample(_ROWS).samples)
    elif len(run.sample_shape) == 1 and data is not None:
        _add_columns(section, run, data[0])
    return section


def _training_data(run: Run, notes: list[str]) -> tuple[Data, Data | None] | None:
    try:
        found = run_data(run, op="report")
        notes += [f"{note[0].upper()}{note[1:]}." for note in found.notes]
        return found.data, found.held_out
    except (OSError, ValueError, ImportError) as error:
        notes.append(f"The training data cannot be read, so nothing is compared with them: {error}.")
        return None


def _measured(run: Run, data: tuple[Data, Data | None], notes: list[str]) -> dict[str, Any]:
    try:
        ours, real, remarks = evaluate(run, *data, _SAMPLES, seed=0)
    except ValueError as error:
        notes.append(f"There are no scores: {error}.")
        return {}
    notes += [f"{remark[0].upper()}{remark[1:]}." for remark in remarks]
    return {"step": run.step, "samples": _SAMPLES, **ours, "real": real}


def _add_translations(section: dict[str, Any], run: Run, data: Data, held_out: Data | None) -> None:
    """Inputs, translations and targets, of images that are held out if there are some."""
    try:
        section["translations"] = translation_rows(run, data if held_out is None else held_out)
        section["held_out"] = held_out is not None
    except ValueError as error:  # the data are other ones today
        section["notes"].append(f"No translations are shown: {error}.")


def _add_columns(section: dict[str, Any], run: Run, data: Data) -> None:
    """The distributions of a table's own columns, and the correlations of the numbers that stand for them."""
    few = data.subsample(_ROWS)
    drawn = run.sample(_ROWS, seed=0)
    real, generated = (run.units.restore(rows).astype(np.float64) for rows in (few.samples, drawn))
    if not np.isfinite(generated).all():
        section["notes"].append("The generator draws NaN or infinity, so no distribution is shown.")
        return
    names = [f"column {i + 1}" for i in range(real.shape[1])]
    if run.units.table is None:
        section["columns"] = compare_columns(real, generated, names)
    else:
        schema = TableSchema.from_dict(run.units.table)
        names = schema.names
        shown = [column.name for column in schema.columns if column.width]  # ids say nothing
        section["columns"] = compare_tables(schema.decode(real)[shown], schema.decode(generated)[shown])
    if real.shape[1] > 1:
        section["correlations"] = {
            "names": names[:MOST_COLUMNS],
            "real": correlations(real),
            "generated": correlations(generated),
        }


def _charts(record: Record) -> list[dict[str, Any]]:
    """The curves of a run, with its alarms as marks."""
    marks = [{"x": alarm["step"], "text": str(alarm.get("message", alarm["alarm"]))} for alarm in record.alarms]
    charts = []
    for title, statistics in _CHARTS.items():
        series = [{"name": name, "points": _points(record, key)} for key, name in statistics.items()]
        series = [one for one in series if len(one["points"]) > 1]
        if series:
            charts.append({"title": title, "series": series, "marks": marks})
    return charts


def _compared(records: list[Record], names: list[str]) -> list[dict[str, Any]]:
    """The FID, or else the generator's loss, of all runs in one chart."""
    charts = []
    for title, key in (("FID", "fid"), ("Generator's loss", "loss_g"), ("Discriminator's loss", "loss_d")):
        series = [{"name": name, "points": _points(r, key)} for r, name in zip(records, names, strict=True)]
        series = [one for one in series if len(one["points"]) > 1]
        if series:
            charts.append({"title": title, "series": series, "marks": []})
    return charts


def _points(record: Record, key: str) -> list[tuple[int, float]]:
    """The finite values of one statistic; of more than 1,000 readings every second, third, ... and the last."""
    rows = [(row["step"], row[key]) for row in record.statistics if isinstance(row.get(key), int | float)]
    rows = [(step, float(f"{value:.5g}")) for step, value in rows if math.isfinite(value)]
    every = math.ceil(len(rows) / _POINTS) or 1
    return [row for i, row in enumerate(rows) if i % every == 0 or i == len(rows) - 1]


def _score_names(sections: list[dict[str, Any]]) -> list[str]:
    """The names of all scores, in the order of the first run that has them."""
    names: dict[str, None] = {}
    for section in sections:
        real = section["scores"].get("real", {})
        about = {"step", "samples", "seed", "k", "features", "data", "real"}
        names |= dict.fromkeys(n for n in section["scores"] if n not in about or n in real)
    return list(names)


def _number(value: Any) -> str:
    """A score or setting as text; a score that could not be computed is a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "0" if abs(value) < 1e-12 else f"{value:.4g}"
    return ", ".join(_number(item) for item in value) if isinstance(value, list | tuple) else str(value)

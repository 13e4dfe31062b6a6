"""Files of results: reading them, and comparing two of them."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastgan.bench._results import SCHEMA, Result


@dataclass
class Document:
    """The content of a file of results, or of the part of a GPU's report that a benchmark wrote."""

    path: Path
    machine: dict[str, Any]
    results: list[Result]
    extra: dict[str, Any] = field(default_factory=dict)


def read(path: Path) -> Document:
    """Read a file that `write_json` wrote; one without a schema number is of schema 1.

    Raises:
        ValueError: for another file or a later schema; names the file.
        OSError: for a file that cannot be read.
    """
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"bench: expected JSON in {path}, got {error}") from None
    return parse(content, path)


def parse(content: Any, path: Path) -> Document:
    """Interpret `content`, the parsed JSON of the file `path`; raises ValueError as `read` does."""
    if not isinstance(content, dict) or not {"machine", "results"} <= content.keys():
        raise ValueError(f"bench: expected a file of results with `machine` and `results`, got {path}")
    schema = content.get("schema", 1)
    if schema not in (1, SCHEMA):
        raise ValueError(f"bench: expected results of schema 1 or {SCHEMA}, got {schema!r} in {path}")
    known = {f.name for f in dataclasses.fields(Result)}
    try:
        results = [Result(**{key: value for key, value in each.items() if key in known}) for each in content["results"]]
    except (AttributeError, TypeError) as error:
        raise ValueError(f"bench: expected results with times and ratios in {path}, got {error}") from None
    if schema == 1:
        for result in results:
            result.labels = {"group": "target"}
    extra = {key: value for key, value in content.items() if key not in ("schema", "machine", "results")}
    return Document(path, content["machine"], results, extra)


@dataclass(frozen=True)
class Change:
    """A case in an old and a new run; `ratio` is the new time over the old one."""

    name: str
    threads: int
    old: float
    new: float
    ratio: float
    noise: float
    verdict: str

    @property
    def regressed(self) -> bool:
        """Whether the new run is worse, beyond threshold and noise."""
        return self.verdict.startswith("REGRESSED")


def compare(old: list[Result], new: list[Result], threshold: float) -> list[Change]:
    """Compare fastgan's times of the cases that both runs have.

    A slowdown is a regression if it exceeds `threshold` and the noise of both runs together, and the new run's first
    quartile lies above the old run's third. More bytes saved for the backward, or more kernel launches, are also a
    regression.

    Raises:
        ValueError: where the runs share no case.
    """
    before = {(result.name, result.threads): result for result in old}
    pairs = [(before[key], result) for result in new if (key := (result.name, result.threads)) in before]
    if not pairs:
        raise ValueError("bench: expected an old file with at least one of this run's cases, got none")
    return [_change(*pair, threshold) for pair in pairs]


def _change(old: Result, new: Result, threshold: float) -> Change:
    before, after = old.seconds["fastgan"], new.seconds["fastgan"]
    ratio, noise = after / before, old.noise + new.noise
    apart = new.quartiles["fastgan"][0] > old.quartiles["fastgan"][1]
    if ratio - 1 > threshold and ratio - 1 > noise and apart:
        verdict = "REGRESSED: slower"
    elif _more(old.bytes_saved, new.bytes_saved):
        verdict = "REGRESSED: more bytes saved"
    elif _more(old.launches, new.launches):
        verdict = "REGRESSED: more kernel launches"
    elif abs(ratio - 1) <= noise:
        verdict = "within noise"
    else:
        verdict = "slower" if ratio > 1 else "faster"
    return Change(new.name, new.threads, before, after, ratio, noise, verdict)


def _more(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return "fastgan" in old and "fastgan" in new and new["fastgan"] > old["fastgan"] * 1.001

"""Write what the files in benchmarks/results say about speed, for people: python benchmarks/readme.py.

Three things: README's section between the two marks, its picture, and the tables in benchmarks/results/README.md. Run
it after a file of results was added; a test holds all three against the files.
"""

import argparse
import dataclasses
import hashlib
import json
import re
import sys
import textwrap
from pathlib import Path

from fastgan.bench import files, plots, tables
from fastgan.bench._host import vendor
from fastgan.bench._results import duration

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- speed: written by benchmarks/readme.py -->", "<!-- end of speed -->"
PICTURE, TABLES = "speed.png", "README.md"
PEERS = {"eager": ("eager", "plain loop"), "`torch.compile`": ("torch.compile", "compiled loop"), "copy": ("copy",)}
COLUMN_OF = {peer: column for column, peers in PEERS.items() for peer in peers}
READING = (
    "`fastgan bench` measures, `python benchmarks/readme.py` writes this. Ratios are the peer's time over fastgan's,"
    " medians of rounds in turn; those that noise hides are refused."
)
DROPOUT = (
    "On the CPU PyTorch draws dropout one number after the other, or, where it takes MKL's generator (on no processor"
    " but Intel's), on all threads. Ratios of dropout depend on it, so each machine's way is named."
)
COPY = "`copy` moves as many bytes as the work must."


def documents(folder):
    """Timings in a folder of results: (file, what the scripts wrote), of benchmarks and of reports on GPUs."""
    found = []
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        parts = content["benchmarks"].values() if "benchmarks" in content else [content]
        found += [files.parse(part, path) for part in parts if {"machine", "results"} <= part.keys()]
    return [document for document in found if document.results and document.results[0].seconds]


def by_machine(found):
    """Documents of each device."""
    machines = {}
    for document in found:
        machines.setdefault(document.machine["device"], []).append(document)
    return machines


def shown(document):
    """The results that README shows: all but the sweep's."""
    return [result for result in document.results if result.labels.get("group", "target") == "target"]


def against_eager(result):
    """Whether one of its peers is eager PyTorch."""
    return any(peer in result.ratios for peer in PEERS["eager"])


def caption(device, found):
    """What the figures of a machine depend on, and where they stand."""
    about = found[0].machine
    build = about["fastgan"]
    maker = about.get("vendor") or vendor(about["processor"])
    named = device if device != about["processor"] or maker in device else f"{device} ({maker})"
    versions = f"torch {about['torch']}, {build['compiler']}, {build['cpu_capability']}"
    # Files of before the probe: only Intel's processors leave a choice.
    serial = about.get("serial_dropout", None if maker == "Intel" else True)
    drawn = {True: ", dropout drawn serially", False: ", dropout drawn by MKL", None: ""}[serial]
    threads = sorted({result.threads for document in found for result in shown(document)})
    used = f"{' or '.join(map(str, threads))} thread{'s' * (threads[-1] > 1)}"
    return f"**{named}, {about['cores']} cores, {used}**, {versions}{drawn} ({'; '.join(map(source, found))})"


def source(document):
    """A link to a file, its commit and its date."""
    name, about = document.path.name, document.machine
    return f"[{name}](benchmarks/results/{name}), commit {about['commit'] or 'unknown'}, {about['date']}"


def rows(results):
    """Markdown's lines of a table."""
    yield f"| work | threads | fastgan | {' | '.join(PEERS)} | target: result |"
    yield "|---|---|---|---|---|---|---|"
    for result in results:
        columns = {COLUMN_OF[peer]: tables.ratio(result, peer) for peer in result.ratios if peer in COLUMN_OF}
        cells = [result.name, str(result.threads), duration(result.seconds["fastgan"])]
        cells += [columns.get(column, "") for column in PEERS]
        promises = [
            f"{promise}: {verdict}{figure(result, promise)}"
            for promise, verdict in result.verdicts.items()
            if verdict != "not measured"
        ]
        # Ratios that no promise shows and no column has.
        others = [
            peer for peer in result.ratios if peer not in COLUMN_OF and not any(peer in p for p in result.verdicts)
        ]
        promises += [f"{peer} {tables.ratio(result, peer)}" for peer in others]
        yield f"| {' | '.join(cells)} | {'; '.join(promises)} |"


def figure(result, promise):
    """The figure behind a verdict, where no column has it."""
    if any(promise.endswith(f" {peer}") for peer in COLUMN_OF):
        return ""
    return f" ({tables.measured(result, promise)})"


def section(folder):
    """The text between README's marks: a column for each machine, a row for what has eager PyTorch as its peer."""
    machines = by_machine(documents(folder))
    lines = [f"![peers' times over fastgan's](benchmarks/results/{PICTURE})", "", wrapped(f"{READING} {DROPOUT}"), ""]
    lines += [f"- {wrapped(f'{caption(device, found)}: {score(found)}.', '  ')}" for device, found in machines.items()]
    cells = {}
    for device, found in machines.items():
        for result in (r for document in found for r in shown(document)):
            ratios = [f"{tables.ratio(result, p)} {p}" for peers in PEERS.values() for p in peers if p in result.ratios]
            if against_eager(result):
                text = f"{duration(result.seconds['fastgan'])}; {', '.join(ratios)}"
                cells.setdefault((result.name, result.threads), {})[device] = text
    lines += ["", f"| work, threads | {' | '.join(map(brief, machines))} |", f"|---|{'---|' * len(machines)}"]
    for (name, threads), row in cells.items():
        lines.append(f"| {name}, {threads} | {' | '.join(row.get(device, '') for device in machines)} |")
    lines += [
        "",
        wrapped(f"All rows and targets, one by one: [benchmarks/results/{TABLES}](benchmarks/results/{TABLES})."),
    ]
    return "\n".join(lines)


def score(found):
    """How many targets a machine meets, and which it does not."""
    results = [result for document in found for result in shown(document)]
    counts = tables.tally(results)
    missed = "; ".join(
        f"{promise} ({result.name}: {tables.measured(result, promise)})"
        for result in results
        for promise, verdict in result.verdicts.items()
        if verdict == "FAIL"
    )
    text = f"{counts['pass']} targets met, {counts['within noise']} within noise, {counts['FAIL']} missed"
    return f"{text}: {missed}" if missed else text


def every_table(folder):
    """The text of the tables' own file."""
    lines = ["# Measured speed", "", wrapped(f"{READING} {COPY} {DROPOUT}")]
    for device, found in by_machine(documents(folder)).items():
        lines += ["", wrapped(caption(device, found).replace("(benchmarks/results/", "(")), ""]
        lines += rows([result for document in found for result in shown(document)])
    return "\n".join([*lines, ""])


def wrapped(text, indent=""):
    """Lines of at most 120 characters, where links allow it; all but the first indented."""
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def rewrite(readme, text):
    """README with another section; ValueError where the marks are missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"readme: expected README.md to have the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def sources(folder):
    """What the picture was drawn from: a hash of the files."""
    return hashlib.sha256(b"".join(document.path.read_bytes() for document in documents(folder))).hexdigest()


def draw(folder):
    """Bars of all machines' cases that have eager PyTorch as a peer."""
    machines = by_machine(documents(folder))
    groups = {
        brief(device): [
            dataclasses.replace(result, name=result.name.replace(", forward + backward", ""))
            for document in found
            for result in shown(document)
            if against_eager(result)
        ]
        for device, found in machines.items()
    }
    title = "; ".join(f"{brief(device)}, {found[0].machine['date']}" for device, found in machines.items())
    plots.bars(
        groups, folder / PICTURE, f"Forward + backward, or a training step: {title}", {"Source": sources(folder)}
    )


def brief(device):
    """A processor's name without its marks."""
    return re.sub(r"\((R|TM)\)| (CPU|Processor)\b", "", device)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where README is not what this writes"
    )
    options = parser.parse_args()
    path = ROOT / "README.md"
    readme = path.read_text()
    new = rewrite(readme, section(RESULTS))
    if options.check:
        same = new == readme and (RESULTS / TABLES).read_text() == every_table(RESULTS)
        sys.exit(0 if same else "README.md: run python benchmarks/readme.py")
    draw(RESULTS)
    path.write_text(new)
    (RESULTS / TABLES).write_text(every_table(RESULTS))
    print(f"wrote README.md, and {TABLES} and {PICTURE} in {RESULTS}")


if __name__ == "__main__":
    main()

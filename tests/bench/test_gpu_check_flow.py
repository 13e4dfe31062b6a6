"""benchmarks/gpu_check.sh from its first step to its last, on a machine that is made up: no GPU, no build, no wait."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time

import pytest
import torch

from bench_scripts import ROOT, script

SCRIPT = ROOT / "benchmarks/gpu_check.sh"

# In place of python: answers for a GPU, and writes the figures' files. The report is the real one.
PYTHON = """#!/usr/bin/env bash
case "$*" in
  *get_device_capability*) [ -z "$NO_GPU" ] && echo 9.0 ;;
  "-c import xdist") exit 1 ;;
  *gpu_figures.py*) printf '{"results": [], "asked": "%s"}' "$2" >"${@: -1}"; [ "$2" != "$SLOW" ] || exec sleep 60 ;;
  *gpu_report.py*) exec "$REAL" "$@" ;;
  *) echo "asked: $*" ;;
esac
"""
# In place of compute-sanitizer and pytest.
TOOL = """#!/usr/bin/env bash
[ "$1" = --help ] && echo "  --kernel-regex arg" && exit
echo "asked: $(basename "$0") $*; GPU ${CUDA_VISIBLE_DEVICES-as it is}"
case " $FAILING " in *" $(basename "$0") "*) exit 9 ;; esac
"""


def _start(folder, **environment):
    tools = folder / "bin"
    tools.mkdir()
    for name, text in {"python": PYTHON, "pytest": TOOL, "compute-sanitizer": TOOL}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"},
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHON": "python",
        "REAL": sys.executable,
        "COMMIT": "abc",
        "OUT": str(folder / "out"),
        "TMPDIR": str(folder),
        **environment,
    }
    command = ["bash", str(SCRIPT)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)


def _logs(folder):
    with tarfile.open(folder / "out/gpu-check-logs.tar.gz") as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        return {member.name.removeprefix("./"): archive.extractfile(member).read().decode() for member in members}


STEPS = ["build", "cuda-tests", "ops", "steps", "memcheck", "racecheck"]


def test_every_step_runs_in_its_order_and_its_results_are_kept(tmp_path):
    said = _start(tmp_path).communicate(timeout=120)[0]
    logs = _logs(tmp_path)
    taken = [line.split("\t")[:2] for line in logs["steps"].splitlines()]
    assert taken[:6] == [[name, "0"] for name in STEPS], said
    assert sorted(taken[6:]) == [[name, "0"] for name in sorted(script("gpu_report").LAST_STEPS)]
    out = {path.name for path in (tmp_path / "out").iterdir()}
    assert out >= {"gpu-ops.json", "gpu-steps.json", "gpu-check-logs.tar.gz"}
    assert len(out) == 4  # the report is the fourth
    assert "asked: -m pip install --no-build-isolation" in logs["build.log"]
    assert "asked: pytest -q" in logs["cuda-tests.log"]
    assert "GPU as it is" in logs["cuda-tests.log"]
    assert all(logs[f"{name}.log"].endswith("; GPU \n") for name in script("gpu_report").LAST_STEPS)  # it sees none
    assert "--kernel-regex kns=fastgan --tool memcheck --report-api-errors no" in logs["memcheck.log"]
    assert "--tool racecheck" in logs["racecheck.log"]
    assert "--reductions" in logs["racecheck.log"]


@pytest.mark.parametrize(("dry_run", "taken"), [("", []), ("1", STEPS)])
def test_without_a_gpu_a_dry_run_takes_every_step_and_fails_all_the_same(tmp_path, dry_run, taken):
    run = _start(tmp_path, NO_GPU="1", DRY_RUN=dry_run)
    said = run.communicate(timeout=120)[0]
    assert [line.split("\t")[0] for line in _logs(tmp_path).get("steps", "").splitlines()][:6] == taken
    assert run.returncode == 1
    assert "expected a GPU, found none" in said


def test_a_step_that_fails_stops_no_other_and_is_told(tmp_path):
    run = _start(tmp_path, FAILING="compute-sanitizer")
    said = run.communicate(timeout=120)[0]
    taken = dict(line.split("\t")[:2] for line in _logs(tmp_path)["steps"].splitlines())
    assert len(taken) == 9
    assert {name for name, status in taken.items() if status != "0"} == {"memcheck", "racecheck"}
    assert run.returncode == 1
    assert "WRONG: memcheck: failed with 9" in said


def test_a_run_that_is_cut_short_keeps_what_it_has(tmp_path):
    run = _start(tmp_path, SLOW="steps")
    figures = tmp_path / "out/gpu-steps.json"
    deadline = time.monotonic() + 100
    while not figures.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)  # as a machine that is taken away
    run.wait()
    assert json.loads((tmp_path / "out/gpu-ops.json").read_text())["asked"] == "ops"
    assert [line.split("\t")[0] for line in _logs(tmp_path)["steps"].splitlines()] == STEPS[:3]


@pytest.mark.parametrize("what", ["all_kernels", "reductions"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_the_sanitizer_runs_calls_the_ops_as_they_are(what, dtype, monkeypatch):
    small = script("gpu_small")
    monkeypatch.setattr(small, "DEVICE", "cpu")
    getattr(small, what)(dtype)

"""benchmarks/gpu_check.sh: its time, and what its report takes for a proof."""

import json
import os
import re
import subprocess
import sys
from xml.sax.saxutils import quoteattr

import pytest
import torch

from bench_scripts import ROOT, script

BENCHMARKS = ROOT / "benchmarks"
SCRIPT = (BENCHMARKS / "gpu_check.sh").read_text()


@pytest.fixture
def report(monkeypatch):
    """The module of the report, on a machine that passes for one with a GPU and a CUDA build."""
    module = script("gpu_report")
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(module.torch.cuda, "get_device_name", lambda: "NVIDIA H200 141GB")
    monkeypatch.setattr(module.torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(module.fastgan, "build_info", lambda: {"torch": "2.11.0", "cuda": "13.0", "arch_list": ["9.0"]})
    monkeypatch.setattr(module, "driver", lambda: "580.1")
    return module


def case(name, outcome="", message="", kind="", text="", file="tests.test_cuda"):
    attributes = f"message={quoteattr(message)} type={quoteattr(kind)}"
    inner = f"<{outcome} {attributes}>{text}</{outcome}>" if outcome else ""
    return f"<testcase classname={quoteattr(file)} name={quoteattr(name)}>{inner}</testcase>"


def write_tests(path, *cases):
    path.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return path


def write_run(folder, report, cases=(), **statuses):
    """A run in which every step and 300 CUDA tests passed, but for what is given."""
    steps = dict.fromkeys(report.NEEDED_STEPS, 0) | statuses
    (folder / "steps").write_text("".join(f"{name}\t{status}\t7\n" for name, status in steps.items()))
    passed = [case(f"test_{i}") for i in range(report.FEWEST_CUDA_TESTS)]
    write_tests(folder / "cuda-tests.xml", *passed, *cases)
    return folder


LIMITS = {name: int(seconds) for name, seconds in re.findall(r"\[([\w-]+)\]=(\d+)", SCRIPT)}


def test_steps_end_in_less_than_nine_minutes():
    last = int(re.search(r"last_second=(\d+)", SCRIPT)[1])
    killed = int(re.search(r"--kill-after=(\d+) ", SCRIPT)[1])
    # What comes before the last part ends early enough to leave it `rest` seconds; then comes the report.
    assert sum(LIMITS.values()) + killed * len(LIMITS) <= last
    assert last + killed + 25 < 540


def test_every_step_has_a_limit_or_is_one_of_the_last(report):
    steps = set(re.findall(r"^ *(?:\w+=\S+ )?(?:cpu_)?(?:step|tests) ([a-z-]+) [\"t]", SCRIPT, re.MULTILINE))
    assert steps - set(LIMITS) == set(report.LAST_STEPS)
    assert set(LIMITS) - steps == {"rest"}
    assert set(report.NEEDED_STEPS) <= steps


def test_the_parts_stand_in_the_order_of_what_is_wanted_most():
    wanted = ["build", "cuda-tests", "ops", "steps", "memcheck", "racecheck", "emulated-tests"]
    places = [re.search(rf"(step|tests) {name} ", SCRIPT).start() for name in wanted]
    assert places == sorted(places)


def test_no_case_begins_so_late_that_its_step_would_be_killed():
    for name in ("ops", "steps"):
        begins = int(re.search(rf"gpu_figures.py {name} --seconds (\d+)", SCRIPT)[1])
        assert begins + 15 <= LIMITS[name]


def test_skipped_cuda_tests_are_excused_by_lack_of_gpus_or_memory_only(report, tmp_path):
    skips = {
        "needs 2 GPUs": True,
        "needs 12 GiB": True,
        "needs a GPU": False,
        "needs 12 GiB of disk": False,
        "no nvcc": False,
    }
    cases = [case(f"test_{i}", "skipped", reason, "pytest.skip") for i, reason in enumerate(skips)]
    counts, wrong = report.read_tests(write_tests(tmp_path / "x.xml", *cases))
    assert counts["skipped"] == len(skips)
    assert wrong == [
        f"tests.test_cuda::test_{i}: skipped, {reason!r}" for i, (reason, fine) in enumerate(skips.items()) if not fine
    ]


def test_skips_that_say_nothing_of_cuda_are_fine(report, tmp_path):
    cases = [
        case("test_x[cpu]", "skipped", "needs scipy", "pytest.skip", file="tests.test_data"),
        case("test_cuda_row", "skipped", "needs avx512", "pytest.skip", file="tests.emulated.test_emulated"),
        case("test_y", "skipped", "expected to fail", "pytest.xfail"),
    ]
    counts, wrong = report.read_tests(write_tests(tmp_path / "x.xml", *cases))
    assert (counts["skipped"], counts["cuda_passed"], wrong) == (3, 0, [])


def test_tests_are_counted(report, tmp_path):
    cases = [
        case("test_a"),
        case("test_b[cuda]", file="tests.ops.test_bce"),
        case("test_b[cpu]", file="tests.ops.test_bce"),
        case("test_c", "failure", "assert 1 == 2\nmore"),
        case("test_d", "error", "fixture"),
    ]
    counts, wrong = report.read_tests(write_tests(tmp_path / "x.xml", *cases))
    assert counts == {"passed": 3, "failed": 2, "skipped": 0, "cuda_passed": 2, "left_out": []}
    assert [line.split(":")[2] for line in wrong] == ["test_c", "test_d"]


@pytest.mark.parametrize(
    ("module", "file", "left_out"),
    [
        ("matplotlib", "tests.train.test_run", True),
        ("numpy", "tests.test_data", False),
        ("scipy", "tests.test_cuda", False),
    ],
)
def test_files_may_be_left_out_for_lack_of_a_package_but_not_those_of_cuda(report, tmp_path, module, file, left_out):
    text = f"ModuleNotFoundError: No module named '{module}'"
    path = write_tests(tmp_path / "x.xml", case("", "error", "collection failure", text=text, file=file))
    counts, wrong = report.read_tests(path)
    assert (counts["left_out"] == [f"{file}::: no {module}"]) == left_out
    assert (counts["failed"], len(wrong)) == ((0, 0) if left_out else (1, 1))


def test_a_run_without_mistakes_passes_and_is_written(report, monkeypatch, capsys, tmp_path):
    write_run(tmp_path, report, step=0)
    (tmp_path / "out").mkdir()
    skipped = {"a case": "no time left"}
    (tmp_path / "out/gpu-steps.json").write_text(json.dumps({"results": [], "skipped": skipped}))
    rows = [{"name": f"row {i}", "seconds": {"fastgan": 1e-5, "eager": 3e-5}, "share_of_copy": 0.9} for i in range(40)]
    (tmp_path / "out/gpu-ops.json").write_text(json.dumps({"results": rows}))
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    monkeypatch.setenv("COMMIT", "0123456789abcdef")
    monkeypatch.setattr(sys, "argv", ["gpu_report.py", str(tmp_path), "321"])
    with pytest.raises(SystemExit) as ended:
        report.main()
    assert ended.value.code == 0
    written = json.loads((tmp_path / "out/nvidia-h200-141gb.json").read_text())
    assert (written["gpu"], written["driver"], written["seconds"]) == ("NVIDIA H200 141GB", "580.1", 321)
    assert written["commit"] == "0123456789abcdef"
    assert written["tests"]["cuda-tests"]["cuda_passed"] == report.FEWEST_CUDA_TESTS
    assert written["benchmarks"] == {"ops": {"results": rows}, "steps": {"results": [], "skipped": skipped}}
    table = capsys.readouterr().out.splitlines()
    assert "passed in 321 s" in table
    assert "  row 0: fastgan 10.0 us, eager 30.0 us, 0.90 of the copy" in table
    assert "  left out: a case: no time left" in table
    assert len(table) < 50


@pytest.mark.parametrize(
    ("statuses", "mistake"),
    [
        ({"build": 1}, "build: failed with 1"),
        ({"memcheck": 9}, "memcheck: failed with 9"),
        ({"ops": 124}, "ops: failed with 124 (no time left)"),
        ({"emulated-tests": 2}, "emulated-tests: failed with 2"),
        ({"cuda-tests": 137}, "cuda-tests: failed with 137 (no time left)"),
    ],
)
def test_a_step_that_fails_fails_the_run(report, tmp_path, statuses, mistake):
    assert report.collect(write_run(tmp_path, report, **statuses), 1)["wrong"] == [mistake]


def test_failed_tests_fail_the_run_once(report, tmp_path):
    """Pytest's 1 is explained by its report, which also knows a run in which files were left out alone."""
    write_run(tmp_path, report, [case("test_x", "failure", "no")], **{"cuda-tests": 1})
    found = report.collect(tmp_path, 1)
    assert found["wrong"] == ["tests.test_cuda::test_x: ['no']"]
    assert not found["steps"]["cuda-tests"]["ok"]


def test_a_step_that_is_missing_fails_the_run(report, tmp_path):
    write_run(tmp_path, report)
    steps = (tmp_path / "steps").read_text().splitlines(keepends=True)
    (tmp_path / "steps").write_text("".join(line for line in steps if not line.startswith("ops")))
    assert report.collect(tmp_path, 1)["wrong"] == ["ops: not run"]


def test_the_last_part_may_run_out_of_time_and_the_table_says_so(report, tmp_path):
    found = report.collect(write_run(tmp_path, report, tests=124, **{"train-tests": 137}), 1)
    assert found["wrong"] == []
    told = [line.split()[:3] for line in report.table(found) if "tests " in line and "no time" in line]
    assert told == [["tests", "no", "time"], ["train-tests", "no", "time"]]


def test_few_cuda_tests_fail_the_run(report, tmp_path):
    write_run(tmp_path, report)
    write_tests(tmp_path / "cuda-tests.xml", case("test_a"))
    assert report.collect(tmp_path, 1)["wrong"] == ["expected at least 300 CUDA tests to pass, got 1"]


def test_a_build_for_the_cpu_fails_the_run(report, monkeypatch, tmp_path):
    monkeypatch.setattr(report.fastgan, "build_info", lambda: {"torch": "2.11.0", "cuda": None})
    assert (
        "expected a CUDA build of fastgan, got one for the CPU"
        in report.collect(write_run(tmp_path, report), 1)["wrong"]
    )


def test_without_a_gpu_the_report_says_so_and_nothing_else(report, monkeypatch, tmp_path):
    monkeypatch.setattr(report.torch.cuda, "is_available", lambda: False)
    (tmp_path / "gpu.log").write_text("Traceback\nRuntimeError: Found no NVIDIA driver\n")
    found = report.collect(tmp_path, 1)
    (mistake,) = found["wrong"]
    assert re.fullmatch(
        r"expected a GPU, found none that torch \S+ sees: RuntimeError: Found no NVIDIA driver", mistake
    )
    assert "no GPU" in "\n".join(report.table(found))


def test_the_driver_is_known_without_its_tools(monkeypatch, tmp_path):
    report = script("gpu_report")
    monkeypatch.setattr(report.shutil, "which", lambda _: None)
    told = tmp_path / "version"
    assert report.driver(told) is None
    told.write_text("NVRM version: 580.65  Release Build\nGCC version: gcc 12\n")
    assert report.driver(told) == "NVRM version: 580.65  Release Build"


@pytest.mark.skipif(torch.cuda.is_available(), reason="would take its nine minutes")
def test_the_script_without_a_gpu_fails_at_once_and_writes_its_json(tmp_path):
    environment = {**os.environ, "PYTHON": sys.executable, "OUT": str(tmp_path / "out"), "COMMIT": "0123456789abcdef"}
    ended = subprocess.run(
        ["bash", str(BENCHMARKS / "gpu_check.sh")], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1, ended.stderr
    assert "WRONG: expected a GPU, found none" in ended.stdout
    written = json.loads((tmp_path / "out/no-gpu.json").read_text())
    assert (written["gpu"], written["commit"], written["steps"]) == (None, "0123456789abcdef", {})
    assert written["benchmarks"] == {}  # no figure is made up
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["gpu-check-logs.tar.gz", "no-gpu.json"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="would profile")
def test_the_profile_without_a_gpu_fails_at_once_and_says_why(tmp_path):
    environment = {**os.environ, "PYTHON": sys.executable, "OUT": str(tmp_path)}
    ended = subprocess.run(
        ["bash", str(BENCHMARKS / "gpu_profile.sh")], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert (tmp_path / "gpu-profile.txt").read_text() == ended.stderr
    assert ended.stderr == "gpu_profile.sh: expected a GPU, found none that torch sees\n"

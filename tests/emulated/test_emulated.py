"""The CUDA rows give the CPU rows' results when they run emulated, and the drivers catch planted faults."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from faults import FAULTS, ORDERS

import build

ROWS = sorted(path.stem for path in (build.CSRC / "kernels/cuda").glob("*.cu"))
# The rows whose threads read what other threads wrote.
REDUCTIONS = [row for row in ROWS if "reduce.cuh" in (build.CSRC / f"kernels/cuda/{row}.cu").read_text()]
# Order 0 runs with each CPU instruction set, the other orders with one.
RUNS = [(0, "default"), (0, "avx2"), (0, "avx512"), *((order, "default") for order in ORDERS[1:])]

pytestmark = [
    pytest.mark.skipif(platform.system() != "Linux", reason="fibers' stacks are laid out for Linux"),
    pytest.mark.skipif(shutil.which(build.COMPILER) is None, reason="needs a C++ compiler"),
]


def run(program, order, capability="default"):
    """Run a driver; `capability` is the instruction set of the CPU rows.

    Leak detection is off, as a failed launch leaves its fibers.
    ThreadSanitizer of gcc 12 does not start with the address randomisation of newer kernels: setarch -R turns it off.
    """
    fixed_addresses = ["setarch", "-R"] if order == "races" and shutil.which("setarch") else []
    return subprocess.run(
        [*fixed_addresses, program, str(order)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "FASTGAN_CPU_CAPABILITY": capability},
    )


def patched(fault):
    """A copy of csrc with the fault, under a name that depends on its text, so that its objects are reused."""
    source = (build.CSRC / fault.path).read_text()
    assert source.count(fault.text) == 1, f"{fault.path}: expected once: {fault.text}"
    key = hashlib.sha256(repr((fault, build.digest_of_tree(build.CSRC))).encode()).hexdigest()[:24]
    csrc = build.cache() / f"{key}.csrc"
    if not csrc.exists():
        with tempfile.TemporaryDirectory(dir=build.cache()) as scratch:
            unfinished = Path(scratch, "csrc")
            for part in ("kernels", "math"):
                shutil.copytree(build.CSRC / part, unfinished / part)
            shutil.copy(build.CSRC / "macros.h", unfinished)
            (unfinished / fault.path).write_text(source.replace(fault.text, fault.patch))
            try:
                unfinished.rename(csrc)
            except OSError:
                assert csrc.is_dir()  # another process made the same copy meanwhile
    return csrc


@pytest.fixture(scope="module")
def programs(request):
    """The programs of the selected tests, compiled in parallel: futures by row, (row, "thread") or fault."""
    wanted = {
        item.callspec.params.get("row") or item.callspec.params.get("name")
        for item in request.session.items
        if item.path == request.path
    }
    with ThreadPoolExecutor(max(2, len(os.sched_getaffinity(0)))) as pool:
        futures = {row: pool.submit(build.program, row) for row in ROWS if row in wanted}
        for name, fault in FAULTS.items():
            if name in wanted:
                futures[name] = pool.submit(build.program, fault.row, patched(fault), fault.sanitize)
        for row in REDUCTIONS:
            if row in wanted:
                futures[row, "thread"] = pool.submit(build.program, row, build.CSRC, "thread")
        yield futures


@pytest.mark.parametrize(("order", "capability"), RUNS)
@pytest.mark.parametrize("row", ROWS)
def test_cuda_row_equals_cpu_row(programs, row, order, capability):
    result = run(programs[row].result(), order, capability)
    if "which this processor has" in result.stderr:
        pytest.skip(f"needs a processor with {capability}")
    assert result.returncode == 0, result.stderr[-4000:]
    assert result.stdout.endswith(" cases\n")


@pytest.mark.parametrize("row", REDUCTIONS)
def test_threads_of_a_reduction_do_not_race(programs, row):
    """Only barriers and fences order threads for ThreadSanitizer, so it sees blocks as if they ran at once."""
    result = run(programs[row, "thread"].result(), "races")
    assert result.returncode == 0, result.stderr[-4000:]


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_caught(programs, name):
    fault = FAULTS[name]
    failed = [result for order in fault.orders if (result := run(programs[name].result(), order)).returncode != 0]
    assert failed, f"expected orders {fault.orders} to fail"
    assert fault.message in failed[0].stderr

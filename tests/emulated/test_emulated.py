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
from typing import NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build

ROWS = sorted(path.stem for path in (build.CSRC / "kernels/cuda").glob("*.cu"))
# The rows whose threads read what other threads wrote.
REDUCTIONS = [row for row in ROWS if "reduce.cuh" in (build.CSRC / f"kernels/cuda/{row}.cu").read_text()]
# 0: blocks, warps and lanes in the order of their numbers; else a seed of random priorities.
ORDERS = [0, 1, 2, 3]
# Order 0 runs with each CPU instruction set, the other orders with one.
RUNS = [(0, "default"), (0, "avx2"), (0, "avx512"), *((order, "default") for order in ORDERS[1:])]

pytestmark = [
    pytest.mark.skipif(platform.system() != "Linux", reason="fibers' stacks are laid out for Linux"),
    pytest.mark.skipif(shutil.which(build.COMPILER) is None, reason="needs a C++ compiler"),
]


class Fault(NamedTuple):
    """A patch of a copy of csrc. `message` is part of what the driver then prints, if that is certain."""

    row: str
    path: str
    text: str
    patch: str
    message: str = ""
    sanitize: str = build.SANITIZE
    orders: tuple = (0,)  # the driver fails in one of these


REDUCE, OCTETS, ROW = "kernels/cuda/reduce.cuh", "kernels/cuda/octet_io.cuh", "kernels/cuda/bias_act_dropout.cu"
TILES, BIAS, GAN = "kernels/cuda/tile.cuh", "kernels/cuda/tile_bias.cuh", "kernels/cuda/gan_loss.cu"
OCTET = "kernels/cuda/bias_act_dropout_octet.cuh"
GUARD = "" if build.SANITIZE else "wrote"  # a sanitizer prints its own message
FAULTS = {
    "one octet too many": Fault(
        "bias_act_dropout",
        OCTET,
        "  store_octet(params.y, octet, params.elements, aligned, value);",
        "  store_octet(params.y, octet, params.elements, aligned, value);\n"
        "  if ((octet + 1) * kOctet >= params.elements && params.active != nullptr) params.active[octet + 1] = 0;",
        GUARD,
    ),
    "one element too many": Fault("bias_act_dropout", OCTETS, "if (i < left)", "if (i <= left)", GUARD),
    "a tail that is left out": Fault("bias_act_dropout", OCTETS, "if (i < left)", "if (i + 1 < left)", "y["),
    "a draw at the wrong bit": Fault(
        "bias_act_dropout",
        OCTET,
        "scalar::activate(value[i], ((keep >> i)",
        "scalar::activate(value[i], ((keep >> (7 - i))",
    ),
    "a tile's index in 32 bits": Fault("bias_act_dropout", TILES, "const int64_t tile =", "const uint32_t tile ="),
    "an octet index of 32 bits in a tile's draws": Fault(
        "bias_act_dropout", ROW, "static_cast<uint32_t>(owned >> 32));", "0u);", "octets above 2^32: "
    ),
    "a tile past the end": Fault(
        "bias_act_dropout", TILES, "if ((first + kTileOctets) * kOctet <= elements)", "if (first * kOctet < elements)"
    ),
    "a row past the end": Fault(
        "gan_loss", GAN, "(first + kWarp) * kOctet <= side.elements", "first * kOctet < side.elements"
    ),
    "the bits of the part beside": Fault(
        "bias_act_dropout", TILES, ">> (kWidth * part_);", ">> (kWidth * (part_ ^ 1));"
    ),
    "an exchange without the lane beside": Fault(
        "bias_act_dropout", TILES, "int distance = 1; distance < kParts", "int distance = 2; distance < kParts"
    ),
    "a state in another row's place": Fault(
        "bias_act_dropout",
        ROW,
        "store_state(params, owned + row * kWarp, state);",
        "store_state(params, owned, state);",
    ),
    "a bias of the channel before": Fault("bias_act_dropout", BIAS, "i < left ? first", "i <= left ? first", "bias, "),
    "a bias that does not wrap around": Fault("bias_act_dropout", BIAS, "place >= channels", "place > channels"),
    "a misaligned bias": Fault(
        "bias_act_dropout",
        BIAS,
        " && aligned16(bias)",
        "",
        "misaligned address",
        sanitize="address,undefined" if "address" in build.SANITIZE else "undefined",
    ),
    "an octet index of 32 bits in a draw": Fault(
        "bias_act_dropout",
        OCTET,
        "keep &= keep_octet(random, octet, params",
        "keep &= keep_octet(random, static_cast<uint32_t>(octet), params",
        "octets above 2^32: ",
    ),
    "an element index of 32 bits in a store": Fault(
        "bce", OCTETS, "  T* first = base + octet * kOctet;", "  T* first = base + static_cast<int>(octet * kOctet);"
    ),
    "a block without work that adds something": Fault(
        "gan_loss",
        GAN,
        "  sums = sum_over_block(sums);\n  if (threadIdx.x == 0) params.partials",
        "  if (place.block * blockDim.x >= octets && place.block > 0) sums.loss = 1;\n"
        "  sums = sum_over_block(sums);\n  if (threadIdx.x == 0) params.partials",
        "more: loss: expected",
    ),
    "a draw of the next octet": Fault(
        "bias_act_dropout",
        OCTET,
        "keep &= keep_octet(random, octet, params",
        "keep &= keep_octet(random, octet + 1, params",
    ),
    "no barrier between write and read": Fault(
        "bce",
        REDUCE,
        "value;\n  __syncthreads();\n",
        "value;\n",
    ),
    "no barrier between read and rewrite": Fault(
        "gan_loss",
        REDUCE,
        "__syncthreads();  // threads may still read warp_sums of the previous call",
        "",
        orders=tuple(ORDERS[1:]),
    ),
    "no barrier before the ticket's answer": Fault(
        "bce", REDUCE, "  __syncthreads();\n  return is_last", "  return is_last", orders=tuple(ORDERS[1:])
    ),
    "a ticket that is not reset": Fault("bce", REDUCE, "atomicExch(ticket, 0u)", "(void)0", "ticket: expected 0"),
    "a return before a barrier": Fault(
        "bce",
        "kernels/cuda/bce.cu",
        "  sum = block_sum(sum);",
        "  if (blockIdx.x * blockDim.x + threadIdx.x >= octets) return;\n  sum = block_sum(sum);",
        "returned before the barrier at",
    ),
    "a shared array too short": Fault(
        "bce",
        REDUCE,
        "warp_sums, kThreads / kWarp)",
        "warp_sums, kThreads / kWarp - 1)",
        "" if build.SANITIZE else "wrote past a shared array",
    ),
    # No order of threads shows these. ThreadSanitizer finds them in the driver's small case.
    "no fence before the ticket": Fault(
        "bce", REDUCE, "    __threadfence();  // this block's", "    // this block's", "data race", "thread", ("races",)
    ),
    "no fence after the ticket": Fault(
        "gan_loss",
        REDUCE,
        "    __threadfence();  // the ticket",
        "    // the ticket",
        "data race",
        "thread",
        ("races",),
    ),
    "no barrier between read and rewrite, in one order": Fault(
        "gan_loss", REDUCE, "__syncthreads();  // threads may", "// threads may", "data race", "thread", ("races",)
    ),
    "a misaligned access of 16 bytes": Fault(
        "bias_act_dropout",
        ROW,
        "aligned16(params.x) && aligned16(params.y)",
        "true",
        "misaligned address",
        sanitize="address,undefined" if "address" in build.SANITIZE else "undefined",
    ),
}


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

"""Limits for what the CUDA kernels issue for an octet on sm_90, so that no change loses them unseen.

A copy that runs at the memory's speed leaves a scheduler 736 cycles for a warp's octets of floats (66 bytes an octet
with the state) and 379 for those of halves on an H100, 513 and 264 on an H200. A kernel below these limits has cycles
to spare for what does not overlap. docs/gpu.md has the arithmetic.
"""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import sass

ARCHITECTURE = "sm_90"
PLACE = re.compile(r"\(anonymous namespace\)::|fastgan::|c10::")


class Budget(NamedTuple):
    """For kernels whose name begins with `kernel`: instructions and ALU cycles an octet, and 16-byte accesses."""

    kernel: str
    issued: int
    alu_cycles: int
    wide: int  # in the whole path
    octets: int = 2  # of a lane in the path; two rows of a tile
    loop: bool = False  # count a turn of the loop, where a thread makes many


BUDGETS = [
    *(Budget(f"forward_plain<{kind}", 200, 190, 4) for kind in ("Half", "BFloat16")),
    Budget("forward_plain<float", 220, 240, 8),
    # With a bias, a clamp, or both. A whole row of bias is loaded in 16-byte accesses, too.
    *(Budget(f"forward_tiles<{kind}, (BiasOrder)2", 330, 340, 8) for kind in ("Half", "BFloat16")),
    *(Budget(f"forward_tiles<{kind}", 330, 340, 4) for kind in ("Half", "BFloat16")),
    Budget("forward_tiles<float, (BiasOrder)2", 330, 340, 12),
    Budget("forward_tiles<float", 330, 340, 8),
    *(Budget(f"backward_tiles<{kind}", 120, 125, 4) for kind in ("Half", "BFloat16")),
    Budget("backward_tiles<float", 120, 125, 8),
    *(Budget(f"gan_loss<{kind}", 320, 190, 1, octets=1, loop=True) for kind in ("Half", "BFloat16")),
    Budget("gan_loss<float", 320, 190, 2, octets=1, loop=True),
    *(Budget(f"gan_gradient<{kind}", 300, 165, 2, octets=1) for kind in ("Half", "BFloat16")),
    Budget("gan_gradient<float", 300, 165, 4, octets=1),
]


def cuobjdump():
    """The program: on PATH, or of the package nvidia-cuda-cuobjdump, which some toolkits lack."""
    if found := shutil.which("cuobjdump"):
        return found
    package = importlib.util.find_spec("nvidia")
    for folder in package.submodule_search_locations if package else ():
        for found in Path(folder).glob("*/bin/cuobjdump"):
            return str(found)
    raise FileNotFoundError("expected cuobjdump on PATH or pip's nvidia-cuda-cuobjdump, found neither")


def mistakes(compiled):
    """Complaints about an object file, as lines; and prints the counts of each kernel with a budget."""
    command = [cuobjdump(), "--dump-sass", "-arch", ARCHITECTURE, str(compiled)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wrong = []
    for name, code in sass.kernels(listing).items():
        short = PLACE.sub("", name).removeprefix("void ")
        budget = next((budget for budget in BUDGETS if short.startswith(budget.kernel)), None)
        if budget is not None:
            wrong += [f"{short.split('(')[0]} on {ARCHITECTURE}: {line}" for line in over(budget, code, short)]
    return wrong


def over(budget, code, name):
    """What a kernel has more of than its budget allows."""
    path = sass.hot_loop(code) if budget.loop else sass.hot_path(code)
    if path is None:
        return ["expected a hot path without a call, found none"]
    issued, alu_cycles = -(-path.issued // budget.octets), -(-path.alu_cycles // budget.octets)
    print(f"  {name.rsplit('(', 1)[0]}: {issued} issued, {alu_cycles} ALU cycles an octet")
    wrong = []
    if issued > budget.issued:
        wrong.append(f"expected at most {budget.issued} instructions issued for an octet, got {issued}")
    if alu_cycles > budget.alu_cycles:
        wrong.append(f"expected at most {budget.alu_cycles} ALU cycles for an octet, got {alu_cycles}")
    if path.wide != budget.wide:
        wrong.append(f"expected {budget.wide} accesses of 16 bytes, got {path.wide}")
    if path.draws_before_loads:
        wrong.append("expected all loads before the draws, got a draw first")
    return wrong

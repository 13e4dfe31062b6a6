"""CUDA sources follow the rules that emulation needs: to run at all, and to find what it looks for."""

import re
from pathlib import Path

import pytest

CSRC = Path(__file__).resolve().parents[2] / "csrc"
SOURCES = sorted([*CSRC.rglob("*.cu"), *CSRC.rglob("*.cuh"), *CSRC.glob("kernels/*.h")])
LAUNCHER = CSRC / "kernels/cuda/launch.cuh"  # the only file that uses CUDA's headers

# Patterns that no source may contain. launch.cuh may contain those of the second table.
FORBIDDEN = {
    "branches on the architecture": r"__CUDA_ARCH__",
    "cooperative groups": r"cooperative_groups|\bcg::",
    "CUB and Thrust": r"#include\s*<(cub|thrust)/|\b(cub|thrust)::",
    "PTX": r"\basm\b",
    "dynamic shared memory": r"extern\s+__shared__",
    "constant and managed memory": r"__constant__|__managed__",
    "copies that hide misaligned pointers": r"\bmemcpy\b",
    "intrinsics outside csrc/math": r"\b__(expf|logf|log2f|powf|sinf|cosf|tanf|fdividef|saturatef|\w+_r[nzud])\b",
    "shuffles and barriers of a part of the warp": r"__(shfl\w*_sync|syncwarp)\((?!0xFFFFFFFFu\b)",
    "shuffles without a mask": r"__shfl(_up|_down|_xor)?\(",
    "votes and matches": r"__(ballot|any|all|match_any|match_all|reduce_\w+)_sync|__activemask",
    "atomic sums, whose order is not fixed": r"atomicAdd\((?!ticket, 1u\))",
    "torch's headers, except c10's number types": r"#include\s*<(torch|ATen|c10/(?!util/(BFloat16|Half)\.h))",
}
LAUNCHERS_OWN = {
    "launches": r"<<<",
    "shared memory not through FASTGAN_SHARED": r"__shared__",
    "CUDA's headers": r"#include\s*[<\"]cuda",
    "branches on the compiler": r"__CUDACC__|__NVCC__",
}


def code_of(path):
    """A source without its comments."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_source_follows_the_rules(path):
    rules = FORBIDDEN if path == LAUNCHER else FORBIDDEN | LAUNCHERS_OWN
    found = {rule: match[0] for rule, pattern in rules.items() if (match := re.search(pattern, code_of(path)))}
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "#if __CUDA_ARCH__ >= 900",
        "namespace cg = cooperative_groups;",
        "#include <cub/cub.cuh>",
        'asm("mov.u32");',
        "extern __shared__ float sums[];",
        "__constant__ float table[4];",
        "memcpy(&chunk, first, 16);",
        "const float e = __expf(x);",
        "value += __shfl_down_sync(mask, value, 1);",
        "__syncwarp(3);",
        "value += __shfl_down(value, 1);",
        "__ballot_sync(0xFFFFFFFFu, x);",
        "atomicAdd(&sum, value);",
        "#include <ATen/cuda/CUDAContext.h>",
        "kernel<<<1, 2>>>();",
        "__shared__ float x;",
        "#include <cuda_fp16.h>",
        "#ifdef __CUDACC__",
    ],
)
def test_line_against_the_rules_is_found(line):
    assert any(re.search(pattern, line) for pattern in (FORBIDDEN | LAUNCHERS_OWN).values())


def test_every_row_is_checked():
    assert {path.stem for path in SOURCES if path.suffix == ".cu"} == {
        path.stem for path in (CSRC / "kernels/cpu").glob("*.cpp") if path.stem != "capability"
    }

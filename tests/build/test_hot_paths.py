""".ci/sass.py on a recorded listing, and the limits of .ci/hot_paths.py.

sample.sass is what nvcc 13.0 made for sm_90 of this kernel, without its division's slow path, which comes last:

    for (int i = threadIdx.x; i < n; i += blockDim.x) {
      const unsigned draw = (seed ^ i) * 0xD2511F53u;
      if (aligned) {
        float4 v = reinterpret_cast<const float4*>(x)[i];
        v.x *= 2 + draw; v.y *= 2; v.z *= 2; v.w /= v.x;
        reinterpret_cast<float4*>(y)[i] = v;
      } else {
        for (int k = 0; k < 4; ++k) y[4 * i + k] = 2 * x[4 * i + k];
      }
    }
"""

import importlib
import shutil
from pathlib import Path

import pytest

SAMPLE = (Path(__file__).parent / "sample.sass").read_text()

pytestmark = pytest.mark.skipif(shutil.which("c++filt") is None, reason="needs c++filt")


@pytest.fixture
def sass(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / ".ci"))
    return importlib.import_module("sass")


@pytest.fixture
def hot_paths(sass):
    return importlib.import_module("hot_paths")


@pytest.fixture
def code(sass):
    (name,) = kernels = sass.kernels(SAMPLE)
    assert name == "doubled(float*, float const*, int, bool, unsigned int)"
    return kernels[name]


def test_the_hot_path_is_the_aligned_one_without_the_slow_division(sass, code):
    path = sass.hot_path(code)
    # Up to the branch for the division's slow path, and from where that comes back.
    taken = [*range(0, 0x240, 0x10), *range(0x270, 0x2D0, 0x10)]
    assert path.instructions == tuple(code[address] for address in taken)
    assert (path.issued, path.wide) == (42, 2)
    # ISETP twice before the loop; LOP3, VIADD, I2FP, ISETP and FCHK in it.
    assert path.alu_cycles == 2 * 7


def test_a_turn_of_the_hot_loop_leaves_out_what_stands_before_it(sass, code):
    turn = sass.hot_loop(code)
    assert turn.instructions == sass.hot_path(code).instructions[0x110 // 0x10 : -1]


def test_a_draw_before_a_load_is_found(sass, code):
    assert not sass.hot_path(code).draws_before_loads
    for product in range(3):  # as of rounds; two may be those that all octets share
        assert not sass.hot_path(code).draws_before_loads
        code[product * 0x10] = "IMAD.HI.U32 R1, R2, -0x2daee0ad, RZ"
    assert sass.hot_path(code).draws_before_loads


def test_a_path_that_only_calls_or_never_ends_is_none(sass):
    assert sass.hot_path({0x0: "CALL.REL.NOINC 0x20", 0x10: "EXIT", 0x20: "RET.REL.NODEC R2 0x0"}) is None
    assert sass.hot_path({0x0: "MOV R1, R2", 0x10: "BRA 0x0"}) is None
    assert sass.hot_loop({0x0: "MOV R1, R2", 0x10: "EXIT"}) is None


def test_a_branch_to_where_lanes_meet_is_followed(sass):
    code = {0x0: "BSSY B0, 0x40", 0x10: "@P0 BRA 0x30", 0x20: "BSYNC B0", 0x30: "MUFU.EX2 R1, R2", 0x40: "EXIT"}
    assert sass.hot_path(code).instructions == (code[0x0], code[0x10], code[0x30], code[0x40])
    code[0x30] = "MOV R1, R2"  # no mark any more, so the shorter way is the hot one
    assert sass.hot_path(code).issued == 4


@pytest.mark.parametrize(
    ("budget", "mistake"),
    [
        ({"issued": 41}, "expected at most 41 instructions issued for an octet, got 42"),
        ({"alu_cycles": 13}, "expected at most 13 ALU cycles for an octet, got 14"),
        ({"wide": 4}, "expected 4 accesses of 16 bytes, got 2"),
        ({"octets": 2, "issued": 20}, "expected at most 20 instructions issued for an octet, got 21"),
        ({"loop": True, "issued": 23}, "expected at most 23 instructions issued for an octet, got 24"),
    ],
)
def test_a_kernel_above_its_budget_is_named(hot_paths, code, budget, mistake):
    fitting = {"kernel": "doubled", "issued": 42, "alu_cycles": 14, "wide": 2, "octets": 1}
    assert hot_paths.over(hot_paths.Budget(**fitting), code, "doubled(float*)") == []
    assert hot_paths.over(hot_paths.Budget(**fitting | budget), code, "doubled(float*)") == [mistake]

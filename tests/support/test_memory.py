"""What a process does with memory that it freed."""

import platform

import pytest

from built import run_python

_TEMPLATE = """
import resource, torch
from fastgan._support.memory import keep_freed_memory

torch.set_num_threads(1)
if {keep}:
    keep_freed_memory()
def step():
    return [torch.empty(2_000_000, dtype=torch.uint8).fill_(1) for _ in range(8)]
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif("glibc" not in platform.libc_ver(), reason="needs glibc")
def test_freed_blocks_are_taken_again_without_new_pages(tmp_path):
    faults = {}
    for keep in (False, True):
        # Not beside the sources, which have no extension where the package is installed.
        done = run_python("-c", _TEMPLATE.format(keep=keep), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        faults[keep] = int(done.stdout)
    assert faults[True] < faults[False] / 5, faults

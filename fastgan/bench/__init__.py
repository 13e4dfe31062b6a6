"""The benchmarks: a harness, what it measures, and how results are shown, kept and compared.

``fastgan bench`` and ``benchmarks/micro.py`` run :func:`fastgan.bench.suite.bench`; the other scripts of
``benchmarks/`` bring cases of their own to :func:`run`.
"""

from fastgan.bench.harness import Clock, copy_bandwidth, measure, run
from fastgan.bench.host import cores, keep_freed_memory, machine
from fastgan.bench.results import Case, Result, Target, Work, line, write_json

__all__ = [
    "Case",
    "Clock",
    "Result",
    "Target",
    "Work",
    "copy_bandwidth",
    "cores",
    "keep_freed_memory",
    "line",
    "machine",
    "measure",
    "run",
    "write_json",
]

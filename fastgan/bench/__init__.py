"""The benchmarks: a case is the same work done by fastgan and by its peers, which are timed in turn.

`fastgan bench` calls :func:`run_benchmarks`. A script with cases of its own passes them to :func:`measure_cases`, as
those in the folder `benchmarks/` of the sources do.
"""

from fastgan.bench._harness import measure, measure_cases
from fastgan.bench._host import cores, keep_freed_memory, machine
from fastgan.bench._results import Case, Result, Target, write_json
from fastgan.bench._suite import Options, run_benchmarks

__all__ = [
    "Case",
    "Options",
    "Result",
    "Target",
    "cores",
    "keep_freed_memory",
    "machine",
    "measure",
    "measure_cases",
    "run_benchmarks",
    "write_json",
]

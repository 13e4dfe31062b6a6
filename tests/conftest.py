"""What all tests share, and how the whole suite is spread over processes."""

import os

import pytest
import torch

try:  # benchmarks/gpu_check.sh makes do with the packages that are there
    import hypothesis
except ImportError:
    hypothesis = None
else:
    # No deadline, as an operator's first call is far slower than the next; the same examples in every run.
    hypothesis.settings.register_profile("fastgan", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("fastgan")


_WORKER = "PYTEST_XDIST_WORKER" in os.environ  # one of those processes, or started by a test in one
if _WORKER:
    torch.set_num_threads(1)  # the cores are shared already


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """The whole suite runs in a process for each core, eight at most; `-n 0`, a file or a test run in one."""
    chosen = any(os.path.exists(str(x).split("::")[0]) for x in config.invocation_params.args)
    if not config.pluginmanager.hasplugin("xdist") or chosen or config.option.usepdb or _WORKER:
        return
    if config.option.numprocesses is None and config.option.dist == "no":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        config.option.numprocesses = min(cores or 1, 8)
        config.option.dist = "load"


@pytest.fixture(autouse=True)
def _same_start():
    """Every test starts from one seed, and leaves the number of threads as it was."""
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    """Each device that has kernels."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return request.param

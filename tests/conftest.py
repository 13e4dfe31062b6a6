"""Settings and fixtures of all tests, and the number of processes that run the whole suite."""

import os
import signal
import threading

import pytest
import torch

try:  # benchmarks/gpu_check.sh runs the tests without it
    import hypothesis
except ImportError:
    hypothesis = None
else:
    # No deadline: the first call of an operator is far slower than the next. Every run has the same examples.
    hypothesis.settings.register_profile("fastgan", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("fastgan")


# A suite that a shell started in the background ignores interrupts, and so would the commands that the tests start.
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_WORKER = "PYTEST_XDIST_WORKER" in os.environ  # this process is a worker of xdist, or a worker's child
if _WORKER:
    torch.set_num_threads(1)  # every core has a worker already


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Run the whole suite in one process for each core, eight at most. Files and single tests run in one process."""
    chosen = any(os.path.exists(str(x).split("::")[0]) for x in config.invocation_params.args)
    if not config.pluginmanager.hasplugin("xdist") or chosen or config.option.usepdb or _WORKER:
        return
    if config.option.numprocesses is None and config.option.dist == "no":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        config.option.numprocesses = min(cores or 1, 8)
        config.option.dist = "load"


@pytest.fixture(autouse=True)
def _seed_and_threads():
    """Seed torch before each test, and restore the number of threads after it."""
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    """Run the test on each device that has kernels."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return request.param

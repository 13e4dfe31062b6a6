"""What all tests share."""

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

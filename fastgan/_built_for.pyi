# The module itself is written by the build (setup.py).
VERSION: str
TORCH: str
TORCH_CUDA: str | None
ARCH_LIST: list[str]

#!/usr/bin/env bash
# The CUDA extension, really built, on a machine without a GPU: once with the nvcc that is there, once with that of the
# package index. Everything lies in a folder of its own, which is deleted at the end: `bash .ci/build_cuda.sh`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly TORCH="torch==2.11.0" CUDA="13.0" # what the package index has for CUDA, its libraries included
# shellcheck source=scratch.sh
. .ci/scratch.sh
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PROGRESS_BAR=off TORCH_CUDA_ARCH_LIST=9.0
unset CUDA_HOME CUDA_PATH FASTGAN_CUDA FASTGAN_TORCH_ROOT VIRTUAL_ENV CONDA_PREFIX PYTHONPATH

without_nvcc() { # PATH without the folders that hold an nvcc
  local folder result=""
  while read -r -d : folder; do [ -x "$folder/nvcc" ] || result=$result:$folder; done <<<"$PATH:"
  printf '%s' "${result#:}"
}

expect_line() { grep -qE -- "$1" "$log" || { echo "expected the build to say: $1" >&2 && return 1; }; }

"${PYTHON:-python3}" -m venv "$scratch/venv"
python=$scratch/venv/bin/python
"$python" -m pip install -q --no-compile "$TORCH" numpy pytest hypothesis >"$log" 2>&1
say "environment with $TORCH"

mkdir "$scratch/source"
git ls-files -z | xargs -0 cp --parents -t "$scratch/source"
(cd "$scratch/source" && "$python" -m pip install -v --no-deps .) >"$log" 2>&1
expect_line "^ *fastgan: compiling with CUDA $CUDA.* \(found: (PATH|usual folders)\)"
say "pip install . with the nvcc that is there"

(cd "$scratch" && "$python" - "$CUDA") <<'PYTHON'
import sys

import torch

import fastgan
from fastgan import functional as FF

info = fastgan.build_info()
assert info["cuda"] == sys.argv[1] and info["arch_list"] == ["9.0"], info
for op in ("bias_act_dropout", "bias_act_dropout_backward", "bce_reduced", "bce_with_logits_backward", "gan_loss",
           "column_heads", "column_heads_backward", "condition_loss", "condition_loss_backward"):
    assert torch._C._dispatch_has_kernel_for_dispatch_key(f"fastgan::{op}", "CUDA"), op
print(info)
try:
    print("a GPU, and", FF.dropout(torch.ones(8, device="cuda")))  # benchmarks/gpu_check.sh is for such machines
except RuntimeError as error:
    assert "NVIDIA driver" in str(error), error
    print("no GPU:", str(error).split(".")[0])
PYTHON
"$scratch/venv/bin/pytest" -q -p no:cacheprovider -o addopts=--import-mode=importlib tests/ops tests/math
say "the CPU's tests on that build"

# Once more, of one .cu and what a library needs besides, with the compiler that pip brings.
small=$scratch/small
mkdir "$small"
git ls-files -z '*.py' pyproject.toml README.md LICENSE MANIFEST.in csrc/macros.h csrc/module.cpp csrc/eager.cpp \
  csrc/eager.h csrc/math 'csrc/ops/*.h' 'csrc/kernels/*.h' csrc/kernels/cpu/capability.cpp 'csrc/kernels/cuda/*.cuh' \
  csrc/kernels/cuda/bias_act_dropout.cu |
  xargs -0 cp --parents -t "$small"
(cd "$small" && PATH=$(without_nvcc) FASTGAN_CUDA_PACKAGES=1 "$python" -m pip wheel -v --no-deps -w "$scratch/wheel" .) \
  >"$log" 2>&1
expect_line "^ *fastgan: compiling with CUDA $CUDA.* \(found: compiler packages\)"
(cd "$scratch" && "$python" -m zipfile -e wheel/fastgan-*.whl unpacked && "$python" - "$CUDA") <<'PYTHON'
import importlib.util
import sys
from pathlib import Path

import torch  # noqa: F401 - the library needs its libraries

path = next(Path("unpacked/fastgan").glob("_C.*.so"))
assert b"forward_plain" in path.read_bytes()  # the name of a kernel
spec = importlib.util.spec_from_file_location("fastgan._C", path)
library = importlib.util.module_from_spec(spec)
spec.loader.exec_module(library)
assert library.build_info()["cuda"] == sys.argv[1], library.build_info()
PYTHON
say "one .cu with the nvcc of the package index"

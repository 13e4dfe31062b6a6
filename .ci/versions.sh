#!/usr/bin/env bash
# What users install with and on, beyond what CI has: `bash .ci/versions.sh [CASE...]`. It downloads several gigabytes, so it
# is run by hand before a release. Without arguments all cases run; --list names them. Needs apt's clang, libomp-dev,
# g++-aarch64-linux-gnu and qemu-user-static for the last two.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly ROOT=$PWD CASES=(torch-2.11 torch-2.13 torch-newest pip-23.2 editable sdist no-isolation odd-path read-only parallel
  wheel clang aarch64)
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PROGRESS_BAR=off FASTGAN_CUDA=0 MAX_JOBS=${MAX_JOBS:-$(nproc)}
unset PYTHONPATH VIRTUAL_ENV FASTGAN_TORCH_ROOT
if [ "${1:-}" = --list ]; then
  printf '%s\n' "${CASES[@]}"
  exit
fi

base="" # the environment with torch 2.13.0 that cases copy nothing into but share

sources() { # sources FOLDER: a copy of what git knows
  mkdir -p "$1"
  git -C "$ROOT" ls-files -z | (cd "$ROOT" && xargs -0 cp --parents -t "$1")
}

environment() { # environment FOLDER PACKAGE...: a new one with torch
  python3 -m venv "$1" && "$1/bin/pip" install -q --no-compile "${@:2}"
}

shared() { # an environment of its own that sees the packages of the one with torch 2.13.0
  [ -n "$base" ] || { base=$all/base && environment "$base" torch==2.13.0; }
  python3 -m venv "$1"
  find "$base/lib" -name site-packages -print -quit >"$(find "$1/lib" -name site-packages -print -quit)/base.pth"
}

works() { # works FOLDER: what was installed there computes, forward and backward, with the library that was built
  (cd / && "$1/bin/python" - <<'PYTHON'
import torch

import fastgan
from fastgan import functional as FF

x = torch.randn(1000, requires_grad=True)
y = FF.leaky_relu_dropout(x, 0.2, 0.5, seed=1)
FF.discriminator_loss(y, x)[0].backward()
assert torch.equal((y == 0).nonzero(), (FF.dropout(torch.ones(1000), 0.5, seed=1) == 0).nonzero())
assert x.grad.isfinite().all() and x.grad.any()
print("   ", torch.__version__, fastgan.build_info()["compiler"], fastgan.__file__)
PYTHON
  )
}

ops_pass() { # ops_pass FOLDER: the tests of the ops and of the build
  "$1/bin/pip" install -q pytest hypothesis scipy scikit-learn setuptools packaging &&
    (cd "$ROOT" && "$1/bin/pytest" -q -p no:cacheprovider tests/ops tests/math tests/test_nn.py tests/test_penalties.py)
}

with_torch() { # with_torch FOLDER REQUIREMENT
  environment "$1/venv" "$2" && sources "$1/source" && "$1/venv/bin/pip" install -q "$1/source" &&
    works "$1/venv" && ops_pass "$1/venv"
}

run_torch-2.11() { with_torch "$1" torch==2.11.0; }
run_torch-2.13() { with_torch "$1" torch==2.13.0; }
run_torch-newest() { with_torch "$1" torch; }

run_pip-23.2() {
  shared "$1/venv" && "$1/venv/bin/pip" install -q pip==23.2 && sources "$1/source" &&
    "$1/venv/bin/pip" install -q "$1/source" && works "$1/venv"
}

run_editable() {
  shared "$1/venv" && sources "$1/source" && "$1/venv/bin/pip" install -q -e "$1/source" && works "$1/venv"
}

run_sdist() {
  shared "$1/venv" && "$1/venv/bin/pip" install -q build pytest hypothesis && sources "$1/source" &&
    "$1/venv/bin/python" -m build -q --sdist -o "$1" "$1/source" && "$1/venv/bin/pip" install -q "$1"/fastgan-*.tar.gz &&
    works "$1/venv" && tar -xzf "$1"/fastgan-*.tar.gz -C "$1" &&
    (cd "$1"/fastgan-*/ && "$1/venv/bin/pytest" -q -p no:cacheprovider tests/ops/test_gan_loss.py)
}

run_wheel() {
  shared "$1/venv" && "$1/venv/bin/pip" install -q build && sources "$1/source" &&
    "$1/venv/bin/python" -m build -q --wheel -o "$1" "$1/source" && shared "$1/other" &&
    "$1/other/bin/pip" install -q "$1"/fastgan-*.whl && works "$1/other"
}

run_no-isolation() {
  shared "$1/venv" && "$1/venv/bin/pip" install -q setuptools wheel ninja pybind11 && sources "$1/source" &&
    "$1/venv/bin/pip" install -q --no-build-isolation "$1/source" && works "$1/venv"
}

run_odd-path() {
  local odd="$1/mit Leerzeichen, Größe 日本"
  mkdir "$odd" && shared "$odd/venv" && sources "$odd/source" && "$odd/venv/bin/pip" install -q "$odd/source" &&
    works "$odd/venv"
}

run_read-only() { # a user who may not write to the sources
  shared "$1/venv" && sources "$1/source" && chmod -R a-w "$1/source" || return
  if [ "$(id -u)" != 0 ]; then
    "$1/venv/bin/pip" install -q "$1/source" && works "$1/venv"
    return
  fi
  chmod -R a+rX "$all" && mkdir "$1/home" && chown -R nobody "$1/venv" "$1/home" &&
    su -s /bin/bash nobody -c "HOME='$1/home' MAX_JOBS=$MAX_JOBS '$1/venv/bin/pip' install -q '$1/source'" &&
    works "$1/venv" && [ -z "$(find "$1/source" -newer "$1/home" -type f)" ]
}

run_parallel() { # two installs of one tree at once
  shared "$1/first" && shared "$1/second" && sources "$1/source" || return
  "$1/first/bin/pip" install -q "$1/source" &
  "$1/second/bin/pip" install -q "$1/source" && wait $! && works "$1/first" && works "$1/second"
}

run_clang() {
  shared "$1/venv" && sources "$1/source" && CC=clang CXX=clang++ "$1/venv/bin/pip" install -q "$1/source" &&
    works "$1/venv" && ops_pass "$1/venv"
}

run_aarch64() { # the kernels' programs, which know nothing of torch, compiled for another processor and emulated
  printf '#!/bin/sh\nexec aarch64-linux-gnu-g++ -DFASTGAN_FAR_BITS=25 "$@"\n' >"$1/g++" && chmod +x "$1/g++"
  shared "$1/venv" && "$1/venv/bin/python" - "$ROOT" "$1/g++" <<'PYTHON'
import os
import subprocess
import sys
from pathlib import Path

os.environ["CXX"] = sys.argv[2]
sys.path.insert(0, str(Path(sys.argv[1], "tests/emulated")))
import build

for row in sorted(path.stem for path in (build.CSRC / "kernels/cuda").glob("*.cu")):
    program = build.program(row)
    said = subprocess.run(
        ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", program, "0"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said
    print("   ", row, "CUDA's rows, emulated, agree with the CPU's portable ones")
PYTHON
}

all=$(mktemp -d)
chmod 755 "$all"
trap 'chmod -R u+w "$all"; rm -rf "$all"' EXIT
chosen=("$@")
[ $# -gt 0 ] || chosen=("${CASES[@]}")
failed=()
for case in "${chosen[@]}"; do
  [[ " ${CASES[*]} " == *" $case "* ]] || { echo "expected one of ${CASES[*]}, got $case" >&2 && exit 2; }
  mkdir "$all/$case"
  start=$SECONDS
  if "run_$case" "$all/$case" >"$all/log" 2>&1; then
    printf 'ok      %s: %d s\n' "$case" $((SECONDS - start))
    grep '^    ' "$all/log" | tail -n 3
  else
    printf 'FAILED  %s: %d s\n' "$case" $((SECONDS - start))
    tail -n 40 "$all/log"
    failed+=("$case")
  fi
  chmod -R u+w "$all/$case" && rm -rf "${all:?}/$case"
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}" >&2 && exit 1; }

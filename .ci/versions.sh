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

base="" # the environment with torch 2.13.0 of which others are copies

sources() { # sources FOLDER: a copy of what git knows
  mkdir -p "$1"
  git -C "$ROOT" ls-files -z | (cd "$ROOT" && xargs -0 cp --parents -t "$1")
}

environment() { # environment FOLDER PACKAGE...: a new one with torch
  python3 -m venv "$1" && "$1/bin/pip" install -q --no-compile "${@:2}"
}

copied() { # copied FOLDER: a new environment with torch 2.13.0, by hard links
  [ -n "$base" ] || { environment "$all/base" torch==2.13.0 && base=$all/base; } || return
  python3 -m venv "$1" || return
  local packages
  packages=$(cd "$base" && echo lib/python3*/site-packages)
  rm -r "${1:?}/$packages" && cp -al "$base/$packages" "$1/$packages" &&
    sed "1s|.*|#!$1/bin/python|" "$base/bin/torchrun" >"$1/bin/torchrun" && chmod +x "$1/bin/torchrun"
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

tests_pass() { # tests_pass FOLDER SOURCES [PATH...]: these tests, or all
  "$1/bin/pip" install -q 'fastgan[test]' && (cd "$2" && PATH="$1/bin:$PATH" "$1/bin/pytest" -q -p no:cacheprovider "${@:3}")
}

with_torch() { # with_torch FOLDER REQUIREMENT
  environment "$1/venv" "$2" && sources "$1/source" && "$1/venv/bin/pip" install -q "$1/source" &&
    works "$1/venv" && tests_pass "$1/venv" "$1/source"
}

run_torch-2.11() { with_torch "$1" torch==2.11.0; }
run_torch-2.13() { with_torch "$1" torch==2.13.0; }
run_torch-newest() { with_torch "$1" torch; }

run_pip-23.2() {
  copied "$1/venv" && "$1/venv/bin/pip" install -q pip==23.2 && sources "$1/source" &&
    "$1/venv/bin/pip" install -q "$1/source" && works "$1/venv"
}

run_editable() {
  copied "$1/venv" && sources "$1/source" && "$1/venv/bin/pip" install -q -e "$1/source" && works "$1/venv"
}

run_sdist() { # all tests pass from the unpacked sources
  copied "$1/venv" && "$1/venv/bin/pip" install -q build && sources "$1/source" &&
    "$1/venv/bin/python" -m build -q --sdist -o "$1" "$1/source" && "$1/venv/bin/pip" install -q "$1"/fastgan-*.tar.gz &&
    works "$1/venv" && tar -xzf "$1"/fastgan-*.tar.gz -C "$1" && tests_pass "$1/venv" "$1"/fastgan-*/
}

run_wheel() {
  copied "$1/venv" && "$1/venv/bin/pip" install -q build && sources "$1/source" &&
    VIRTUAL_ENV=$1/venv "$1/venv/bin/python" -m build -q --wheel -o "$1" "$1/source" && copied "$1/other" &&
    "$1/other/bin/pip" install -q "$1"/fastgan-*-cp3*-linux_*.whl && works "$1/other" && cd / &&
    "$1/other/bin/python" -c "from importlib import metadata; assert 'torch==2.13.*' in metadata.requires('fastgan')"
}

run_no-isolation() {
  copied "$1/venv" && "$1/venv/bin/pip" install -q setuptools wheel ninja pybind11 && sources "$1/source" &&
    "$1/venv/bin/pip" install -q --no-build-isolation "$1/source" && works "$1/venv"
}

run_odd-path() {
  local odd="$1/mit Leerzeichen, Größe 日本"
  mkdir "$odd" && copied "$odd/venv" && sources "$odd/source" && "$odd/venv/bin/pip" install -q "$odd/source" &&
    works "$odd/venv"
}

run_read-only() { # a user who may not write to the sources: root without the right to overlook modes is one, too
  local user=()
  [ "$(id -u)" != 0 ] || user=(setpriv --bounding-set=-dac_override --inh-caps=-dac_override)
  copied "$1/venv" && sources "$1/source" && chmod -R a-w "$1/source" && touch "$1/start" || return
  "${user[@]}" bash -c '! touch "$1/new" 2>/dev/null' - "$1/source" && "${user[@]}" "$1/venv/bin/pip" install -q "$1/source" &&
    works "$1/venv" && [ -z "$(find "$1/source" -newer "$1/start")" ]
}

run_parallel() { # two installs of one tree at once
  copied "$1/first" && copied "$1/second" && sources "$1/source" || return
  "$1/first/bin/pip" install -q "$1/source" &
  local first=$! status=0
  "$1/second/bin/pip" install -q "$1/source" || status=$?
  wait "$first" && [ $status = 0 ] && works "$1/first" && works "$1/second"
}

run_clang() {
  copied "$1/venv" && sources "$1/source" && CC=clang CXX=clang++ "$1/venv/bin/pip" install -q "$1/source" &&
    works "$1/venv" && tests_pass "$1/venv" "$1/source" tests/ops tests/math tests/test_nn.py
}

run_aarch64() { # the kernels' programs, which know nothing of torch, compiled for another processor and emulated
  printf '#!/bin/sh\nexec aarch64-linux-gnu-g++ -DFASTGAN_FAR_BITS=25 "$@"\n' >"$1/g++" && chmod +x "$1/g++"
  copied "$1/venv" && "$1/venv/bin/python" - "$ROOT" "$1/g++" <<'PYTHON'
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

#!/usr/bin/env bash
# Proof on a GPU: build, all tests, memory checks, benchmarks; one JSON with every figure, and a short table last.
#
#   bash benchmarks/gpu_check.sh
#
# It needs torch 2.11 or later for CUDA, nvcc, a C++ compiler and pytest, no network, and less than 9 minutes. It fails if a
# step fails, or if a CUDA test was skipped for anything but a second GPU or memory.
#   OUT     folder of the JSON; default benchmarks/results
#   COMMIT  what is tested; default: git's HEAD
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

OUT=${OUT:-benchmarks/results}
COMMIT=${COMMIT:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
export OUT COMMIT
python=${PYTHON:-python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$OUT"

step() { # step NAME SECONDS COMMAND [ARGUMENT...]: output to NAME.log; name, status and seconds to steps
  local name=$1 limit=$2 start=$SECONDS status
  shift 2
  timeout --kill-after=10 "$limit" "$@" >"$work/$name.log" 2>&1
  status=$?
  printf '%s\t%d\t%d\n' "$name" "$status" $((SECONDS - start)) >>"$work/steps"
  printf '%s: %s, %d s\n' "$name" "$([ $status -eq 0 ] && echo done || echo "FAILED ($status)")" $((SECONDS - start))
  [ $status -eq 0 ] || tail -n 40 "$work/$name.log"
  return $status
}

build() {
  TORCH_CUDA_ARCH_LIST=$("$python" -c 'import torch; print("%d.%d" % torch.cuda.get_device_capability())') || return 1
  export TORCH_CUDA_ARCH_LIST FASTGAN_CUDA=1
  step build 200 "$python" -m pip install --no-build-isolation --no-deps --force-reinstall .
}

tests() { # tests NAME ARGUMENT...
  local name=$1
  shift
  step "$name" 260 "$pytest" -q -p no:cacheprovider --continue-on-collection-errors "--junitxml=$work/$name.xml" "$@"
}

# The installed package and not the source folder: commands, never `python -m` from here (a script's folder is its own).
pytest=$(dirname "$(command -v "$python")")/pytest
[ -x "$pytest" ] || pytest=pytest

build || exit 1
cuda_tests=(tests/test_cuda.py tests/test_cuda_parity.py tests/ops)
# The other tests keep the processors busy, and these the GPU.
tests tests "${cuda_tests[@]/#/--ignore=}" tests &
tests cuda-tests "${cuda_tests[@]}"
wait
sanitizer=$(command -v compute-sanitizer || echo "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer")
if [ -x "$sanitizer" ]; then
  for tool in memcheck racecheck; do
    PYTORCH_NO_CUDA_MEMORY_CACHING=1 step "$tool" 60 "$sanitizer" --tool "$tool" --error-exitcode 9 \
      "$python" benchmarks/gpu_small.py
  done
fi
step micro 90 "$python" benchmarks/micro.py --device cuda --quick --json "$work/micro.json"
if [ -f benchmarks/step.py ]; then
  step step 60 "$python" benchmarks/step.py --device cuda --quick --json "$work/step.json"
fi
"$python" benchmarks/gpu_report.py "$work" "$SECONDS"

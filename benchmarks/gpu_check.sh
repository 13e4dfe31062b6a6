#!/usr/bin/env bash
# Check fastgan on a GPU: build, all tests, memory checks, benchmarks. It writes one JSON with every figure and prints a
# short table last.
#
#   bash benchmarks/gpu_check.sh
#
# It needs torch 2.11 or later for CUDA, nvcc, a C++ compiler and pytest, but no network, and takes less than 9 minutes.
# It fails if a step fails, or if a CUDA test is skipped for another reason than memory or the number of GPUs.
#   OUT     folder of the JSON; default benchmarks/results
#   COMMIT  the commit that is tested; default git's HEAD
#   PYTHON  the interpreter whose packages are used; default python3
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

OUT=${OUT:-benchmarks/results}
COMMIT=${COMMIT:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
export OUT COMMIT
python=${PYTHON:-python3}
work=$(mktemp -d)
mkdir -p "$OUT"
# The logs go with the JSON, as a lent machine keeps nothing.
trap 'tar -czf "$OUT/gpu-check-logs.tar.gz" -C "$work" . ; rm -rf "$work"' EXIT

# The seconds that a step may take; it is killed 2 s later. Together they are less than 540, with half a minute for the
# rest. The tests run side by side, so they count once.
declare -A limits=([build]=130 [tests]=200 [memcheck]=35 [racecheck]=35 [micro]=60 [step]=45)

step() { # step NAME COMMAND [ARGUMENT...]: output to NAME.log; name, status and seconds to steps
  local name=$1 limit=${limits[$1]:-${limits[tests]}} start=$SECONDS status
  shift
  timeout --kill-after=2 "$limit" "$@" >"$work/$name.log" 2>&1
  status=$?
  printf '%s\t%d\t%d\n' "$name" "$status" $((SECONDS - start)) >>"$work/steps"
  printf '%s: %s, %d s\n' "$name" "$([ $status -eq 0 ] && echo done || echo "FAILED ($status)")" $((SECONDS - start))
  [ $status -eq 0 ] || tail -n 40 "$work/$name.log"
  return $status
}

report() { # the JSON, the table and the exit status
  "$python" benchmarks/gpu_report.py "$work" "$SECONDS"
  exit
}

tests() { # tests NAME ARGUMENT...
  local name=$1
  shift
  step "$name" "$pytest" -q -p no:cacheprovider --continue-on-collection-errors "--junitxml=$work/$name.xml" "$@"
}

capability='import torch; print("%d.%d" % torch.cuda.get_device_capability())'
TORCH_CUDA_ARCH_LIST=$("$python" -c "$capability" 2>"$work/gpu.log") || report
export TORCH_CUDA_ARCH_LIST FASTGAN_CUDA=1
step build "$python" -m pip install --no-build-isolation --no-deps --force-reinstall . || report

# Commands and scripts import the installed package. `python -m` would import the source folder from here.
pytest=$(dirname "$(command -v "$python")")/pytest
[ -x "$pytest" ] || pytest=pytest
processes=() # for pytest -n, which conftest.py sets for the whole suite alone
"$python" -c 'import xdist' 2>"$work/xdist.log" && processes=(-n 4)
cuda_tests=(tests/ops tests/train/test_cuda_training.py)
other_tests=(tests/train tests/emulated)
# The other tests run beside the CUDA tests. They see no GPU: a trainer would take it by default, and JAX its memory.
export OMP_NUM_THREADS=2
(
  export CUDA_VISIBLE_DEVICES='' JAX_PLATFORMS=cpu
  tests tests "${processes[@]}" "${cuda_tests[@]/#/--ignore=}" "${other_tests[@]/#/--ignore=}" tests &
  tests train-tests "${processes[@]}" "${cuda_tests[@]/#/--ignore=}" tests/train &
  tests emulated-tests tests/emulated &
  wait
) &
tests cuda-tests "${processes[@]}" "${cuda_tests[@]}"
wait
unset OMP_NUM_THREADS
sanitizer=$(command -v compute-sanitizer || echo "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer")
if [ -x "$sanitizer" ]; then
  for tool in memcheck racecheck; do
    # torch makes calls of CUDA's API that may fail and are handled; memcheck counts them otherwise.
    options=()
    [ "$tool" = memcheck ] && options=(--report-api-errors no)
    PYTORCH_NO_CUDA_MEMORY_CACHING=1 step "$tool" "$sanitizer" --tool "$tool" --error-exitcode 9 "${options[@]}" \
      "$python" benchmarks/gpu_small.py
  done
fi
step micro "$python" benchmarks/micro.py --device cuda --quick --json "$work/micro.json"
step step "$python" benchmarks/step.py --device cuda --quick --json "$work/step.json"
report

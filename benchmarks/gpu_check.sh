#!/usr/bin/env bash
# Check fastgan on a GPU: build, CUDA tests, figures, memory checks, then all other tests. Each part's result is in OUT as
# soon as it is there, so a run that is cut short loses what is last. A table is printed at the end.
#
#   bash benchmarks/gpu_check.sh
#
# It needs torch 2.11 or later for CUDA, nvcc, a C++ compiler and pytest, but no network, and takes less than 9 minutes.
# It fails if a step fails, or if a CUDA test is skipped for another reason than memory or the number of GPUs.
#   OUT     folder of the results; default benchmarks/results. It gets gpu-ops.json and gpu-steps.json (figures),
#           gpu-check-logs.tar.gz (what every step said) and NAME-OF-THE-GPU.json (all of it, at the end)
#   COMMIT  the commit that is tested; default git's HEAD
#   PYTHON  the interpreter whose packages are used; default python3
#   WHEEL   a wheel of these sources, which is installed in place of a build
#   LAST_SECOND  the second at which the tests of the last part end; default 508. 0 leaves them out
#   DRY_RUN 1: without a GPU every step is run all the same, on a build for the CPU. CUDA tests skip, no figure is
#           written, and the report says that there was no GPU and fails
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

OUT=${OUT:-benchmarks/results}
COMMIT=${COMMIT:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
export OUT COMMIT
python=${PYTHON:-python3}
work=$(mktemp -d)
mkdir -p "$OUT"
keep_logs() { tar -czf "$OUT/gpu-check-logs.tar.gz" -C "$work" .; }
trap 'keep_logs; rm -rf "$work"' EXIT

# The seconds that a step may take. It is interrupted then, so that pytest reports the tests that it ran, and killed 5 s
# later. `rest` is the least that is left for the last part, whose steps run side by side until last_second. All together
# are less than 540, with half a minute for the report.
declare -A limits=([build]=130 [cuda-tests]=110 [ops]=75 [steps]=80 [memcheck]=20 [racecheck]=20 [rest]=30)
last_second=508
[ -z "${LAST_SECOND:-}" ] || last_second=$LAST_SECOND

step() { # step NAME COMMAND [ARGUMENT...]: output to NAME.log; name, status and seconds to `steps`
  local name=$1 limit=${limits[$1]:-$((last_second - SECONDS))} start=$SECONDS status=124
  shift
  : >"$work/$name.log" # also where no time is left for the step
  if [ "$limit" -gt 0 ]; then
    timeout --signal=INT --kill-after=5 "$limit" "$@" >"$work/$name.log" 2>&1
    status=$?
  fi
  printf '%s\t%d\t%d\n' "$name" "$status" $((SECONDS - start)) >>"$work/steps"
  printf '%s: %s, %d s\n' "$name" "$([ $status -eq 0 ] && echo done || echo "FAILED ($status)")" $((SECONDS - start))
  [ $status -eq 0 ] || tail -n 40 "$work/$name.log"
  keep_logs
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

# (a) The build, for this GPU alone.
capability='import torch; print("%d.%d" % torch.cuda.get_device_capability())'
if TORCH_CUDA_ARCH_LIST=$("$python" -c "$capability" 2>"$work/gpu.log"); then
  export TORCH_CUDA_ARCH_LIST FASTGAN_CUDA=1
elif [ "${DRY_RUN:-}" = 1 ]; then
  unset TORCH_CUDA_ARCH_LIST
  export FASTGAN_CUDA=0
  # A machine without a GPU may have two cores, on which the build alone takes longer.
  slower=170
  limits[build]=$((limits[build] + slower))
  last_second=$((last_second + slower))
else
  report
fi
step build "$python" -m pip install --no-build-isolation --no-deps --force-reinstall "${WHEEL:-.}" || report

# Commands and scripts import the installed package. `python -m` would import the source folder from here.
pytest=$(dirname "$(command -v "$python")")/pytest
[ -x "$pytest" ] || pytest=pytest
processes=() # for pytest -n, which conftest.py sets for the whole suite alone
"$python" -c 'import xdist' 2>"$work/xdist.log" && processes=(-n 12)

# (b) The tests that use the GPU, and nothing beside them.
cuda_tests=(tests/ops tests/train/test_cuda_training.py tests/train/test_cuda_distributed.py)
OMP_NUM_THREADS=2 tests cuda-tests "${processes[@]}" "${cuda_tests[@]}"

# (c), (d) The figures. No case begins after --seconds; the step's limit is for one that hangs.
step ops "$python" benchmarks/gpu_figures.py ops --seconds 60 --json "$OUT/gpu-ops.json"
step steps "$python" benchmarks/gpu_figures.py steps --seconds 60 --json "$OUT/gpu-steps.json"

# (e) Out-of-bounds accesses of any kernel, races in the shared memory of reductions. Only fastgan's kernels are
# instrumented: torch's would take most of the time.
sanitizer=$(command -v compute-sanitizer || echo "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer")
if [ -x "$sanitizer" ]; then
  check=("$sanitizer" --error-exitcode 9)
  "$sanitizer" --help 2>/dev/null | grep -q -- --kernel-regex && check+=(--kernel-regex kns=fastgan)
  # torch makes calls of CUDA's API that may fail and are handled; memcheck counts them otherwise.
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 step memcheck "${check[@]}" --tool memcheck --report-api-errors no \
    "$python" benchmarks/gpu_small.py
  step racecheck "${check[@]}" --tool racecheck "$python" benchmarks/gpu_small.py --reductions
fi

# (f) The rest, as far as there is time. These tests see no GPU: a trainer would take it by default, and JAX its memory.
cpu_tests() { CUDA_VISIBLE_DEVICES='' JAX_PLATFORMS=cpu OMP_NUM_THREADS=2 tests "$@"; }
other_tests=(tests/train tests/emulated)
cpu_tests tests "${processes[@]}" "${cuda_tests[@]/#/--ignore=}" "${other_tests[@]/#/--ignore=}" tests &
cpu_tests train-tests "${processes[@]}" "${cuda_tests[@]/#/--ignore=}" tests/train &
cpu_tests emulated-tests tests/emulated &
wait
report

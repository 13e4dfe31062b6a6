#!/usr/bin/env bash
# What Nsight Compute says of the five kernels that matter: the memory's bandwidth, the issue of instructions, why warps
# wait. It writes one small text. benchmarks/gpu_check.sh is run before it, and leaves the build.
#
#   bash benchmarks/gpu_profile.sh
#
# It needs ncu, a GPU whose counters it may read, and a CUDA build of fastgan.
#   OUT      folder of the text, gpu-profile.txt; default benchmarks/results
#   PYTHON   the interpreter whose packages are used; default python3
#   LIMIT    the seconds that it may take; default 150
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

OUT=${OUT:-benchmarks/results}
python=${PYTHON:-python3}
limit=${LIMIT:-150}
mkdir -p "$OUT"
text=$OUT/gpu-profile.txt

fail() {
  echo "$*" | tee "$text" >&2
  exit 1
}

"$python" -c 'import torch; torch.cuda.get_device_capability()' 2>/dev/null ||
  fail "gpu_profile.sh: expected a GPU, found none that torch sees"
ncu=$(command -v ncu || echo "${CUDA_HOME:-/usr/local/cuda}/bin/ncu")
[ -x "$ncu" ] || fail "gpu_profile.sh: expected ncu, found none"

timeout --kill-after=5 "$limit" "$ncu" --profile-from-start off --clock-control none \
  --kernel-name 'regex:forward_|backward_|gan_loss' \
  --section SpeedOfLight --section MemoryWorkloadAnalysis --section SchedulerStats --section WarpStateStats \
  --section Occupancy --section LaunchStats \
  --metrics smsp__inst_executed.sum,smsp__inst_executed_pipe_alu.sum,dram__bytes.sum,gpu__time_duration.sum \
  "$python" benchmarks/gpu_small.py --profile >"$text" 2>&1
status=$?
if [ $status -ne 0 ]; then
  echo "gpu_profile.sh: ncu ended with $status" | tee -a "$text" >&2
  exit $status
fi
grep -E '^ +[a-z_]+.*\(|Throughput|DRAM|Duration|inst_executed|Issue|Stall|Achieved Occupancy' "$text"
echo "$text"

#!/usr/bin/env bash
# The CPU library compiled with gcc's sanitizers, and tests on it: `bash .ci/sanitize.sh address` finds reads and writes out
# of bounds and undefined behaviour, `bash .ci/sanitize.sh thread` finds data races. The Python on PATH must have torch and
# the tests' packages. Everything lies in a folder of its own, which is deleted at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in
  address)
    flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
    libraries=(libasan.so libubsan.so)
    tests=(tests/ops/test_fuzz.py tests/ops/test_bias_act_dropout_errors.py tests/ops/test_concurrency.py)
    place=1 fault="AddressSanitizer: heap-buffer-overflow" watching=__asan_report_store
    # Python's own leaks are none of ours; an allocation that is refused must fail as it does elsewhere.
    export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:abort_on_error=1
    export UBSAN_OPTIONS=print_stacktrace=1
    ;;
  thread)
    flags="-fsanitize=thread"
    libraries=(libtsan.so)
    tests=(tests/ops/test_concurrency.py)
    place=0 fault="ThreadSanitizer: data race" watching=__tsan_write
    # Only what is compiled here is watched. OpenMP's own barriers are not, so each op runs on the thread that calls it.
    export TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:exitcode=66 OMP_NUM_THREADS=1
    ;;
  *)
    echo "usage: bash .ci/sanitize.sh address|thread" >&2
    exit 2
    ;;
esac

# shellcheck source=scratch.sh
. .ci/scratch.sh

# A fault that the sanitizer must find, or all that follows shows nothing.
cat >"$scratch/planted.cpp" <<'CPP'
#include <thread>
extern "C" void planted() {
  char* bytes = new char[8];
  auto write = [bytes](int place) { bytes[8 * place] = 1; };
  std::thread first(write, FAULT), second(write, FAULT);
  first.join();
  second.join();
  delete[] bytes;
}
CPP
read -ra options <<<"$flags"
preload=()
for library in "${libraries[@]}"; do preload+=("$(g++ -print-file-name="$library")"); done
preload+=("$(g++ -print-file-name=libstdc++.so)") # the sanitizers look for its exceptions when they start
# gcc 12's ThreadSanitizer does not start where addresses are as random as newer kernels make them.
fixed=()
[ -z "$(command -v setarch)" ] || fixed=(setarch "$(uname -m)" -R)
instrumented() { "${fixed[@]}" env LD_PRELOAD="${preload[*]}" "$@"; }
g++ -g "${options[@]}" -fPIC -shared -DFAULT="$place" -o "$scratch/planted.so" "$scratch/planted.cpp" -pthread
if instrumented python -c "import ctypes; ctypes.CDLL('$scratch/planted.so').planted()" >"$log" 2>&1; then
  echo "expected the sanitizer to stop a planted fault" >&2
  exit 1
fi
grep -q "$fault" "$log"
say "a planted fault is found"

mkdir "$scratch/source"
git ls-files -z | xargs -0 cp --parents -t "$scratch/source"
cd "$scratch/source"
FASTGAN_CUDA=0 DEBUG=1 CFLAGS=$flags LDFLAGS=$flags python setup.py build_ext --inplace >"$log" 2>&1
nm -D fastgan/_C.*.so >"$scratch/symbols"
grep -q "$watching" "$scratch/symbols"
say "built with $flags"

export PYTHONPATH=$scratch/source
instrumented python -c "import fastgan; print(fastgan.__file__, fastgan.build_info()['cpu_capability'])"
for capability in "" default; do # the processor's best instruction set, and none
  # What a sanitizer says goes to the log, past pytest, which would keep it to itself until a test's end.
  FASTGAN_CPU_CAPABILITY=$capability instrumented pytest -q --capture=sys -p no:cacheprovider "${tests[@]}" 2>"$log"
  say "tests, ${capability:-best} instruction set"
done

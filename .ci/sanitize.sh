#!/usr/bin/env bash
# The extension built with AddressSanitizer and UBSan, under the tests that hand its ops odd input: a read or write out of
# bounds, or undefined behaviour, ends the run. `bash .ci/sanitize.sh` in an environment with the test extra.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git ls-files -z -- setup.py build_backend.py build_toolkit.py pyproject.toml README.md LICENSE csrc fastgan tests |
  xargs -0 cp --parents -t "$work"

sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
(
  cd "$work"
  CFLAGS="$sanitizers" LDFLAGS="$sanitizers" DEBUG=1 FASTGAN_CUDA=0 python setup.py -q build_ext --inplace
)

# The interpreter is not built with the sanitizers, so their libraries come first by force. Python keeps memory to its end.
preload=""
for library in libasan.so libubsan.so libstdc++.so.6; do preload+="$(g++ -print-file-name=$library) "; done
for capability in "" default; do # the processor's best instruction set, and none
  FASTGAN_CPU_CAPABILITY=$capability PYTHONPATH=$work LD_PRELOAD=$preload \
    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
    pytest -q -p no:cacheprovider --rootdir="$work" -c "$work/pyproject.toml" "${@:-$work/tests/ops/test_fuzz.py}"
done

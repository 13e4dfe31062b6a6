"""The divisions that the CUDA kernels make without a division: by a known number, and by one from 1 to 2."""

import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = r"""
#include <cmath>
#include <cstdio>
#include "math/divisor.h"
#include "math/scalar.h"

using fastgan::Divisor;

// Quotients around every multiple of the divisor that is near the ends and the powers of two.
long wrong_quotients(int64_t divisor) {
  const Divisor fast(divisor);
  long wrong = 0;
  const auto check = [&](int64_t dividend) {
    if (dividend < 0 || dividend > Divisor::kMost) return;
    wrong += fast.quotient(static_cast<uint32_t>(dividend)) != dividend / divisor;
  };
  for (int bit = 0; bit <= 31; ++bit) {
    const int64_t near = (int64_t{1} << bit) / divisor * divisor;
    for (int64_t step = -1; step <= 1; ++step) {
      for (int64_t i = -1; i <= 1; ++i) check(near + step * divisor + i);
    }
  }
  check(Divisor::kMost);
  return wrong;
}

int main() {
  long wrong = 0;
  for (int64_t divisor = 1; divisor <= 70000; ++divisor) wrong += wrong_quotients(divisor);
  for (int64_t divisor = 70001; divisor <= Divisor::kMost; divisor += 90001) wrong += wrong_quotients(divisor);
  wrong += wrong_quotients(Divisor::kMost);
  std::printf("%ld\n", wrong);

  // e / (1 + e) and 1 / (1 + e), as the sigmoid takes them.
  float most = 0;
  const auto check = [&](float a, float b) {
    const float expected = a / b, got = fastgan::scalar::quotient_by_series(a, b);
    const float ulp = std::nextafter(expected, 2.0f) - expected;
    most = std::fmax(most, std::fabs(got - expected) / ulp);
  };
  for (int i = 0; i <= 1 << 20; ++i) {
    const float e = i * 0x1p-20f, small = std::exp2(-120.0f * i * 0x1p-20f);
    check(1.0f, 1.0f + e), check(e, 1.0f + e), check(1.0f, 1.0f + small), check(small, 1.0f + small);
  }
  std::printf("%g\n", most);
  std::printf("%d %d\n", fastgan::scalar::quotient_by_series(1.0f, 2.0f) == 0.5f,
              std::isnan(fastgan::scalar::quotient_by_series(NAN, 1.0f)) &&
                  std::isnan(fastgan::scalar::quotient_by_series(1.0f, NAN)));
}
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    folder = tmp_path_factory.mktemp("division")
    (folder / "division.cpp").write_text(PROGRAM)
    command = [
        compiler,
        "-std=c++17",
        "-O1",
        f"-I{Path(__file__).parents[2] / 'csrc'}",
        "division.cpp",
        "-o",
        "division",
    ]
    subprocess.run(command, cwd=folder, check=True)
    return subprocess.run([folder / "division"], capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_divisor_gives_every_quotient_that_it_should(answers):
    assert answers[0] == "0"


def test_a_quotient_by_series_is_within_an_ulp_of_the_division(answers):
    assert 0 < float(answers[1]) <= 1


def test_a_quotient_by_series_is_exact_at_its_ends_and_keeps_nan(answers):
    assert answers[2] == "1 1"

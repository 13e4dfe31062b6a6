"""The two implementations of Philox, compiled and composed, against the known answers of Random123."""

import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from fastgan.functional import composed

# Random123 1.14.0, tests/kat_vectors: philox4x32 with 7 rounds; counter, key, answer.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x5207DDC2, 0x45165E59, 0x4D8EE751, 0x8C52F662)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0x4DFCCABA, 0x190A87F0, 0xC47362BA, 0xB6B5242A),
    ),
]

PROGRAM = """
#include <cstdio>
#include "math/octet.h"
int main() {
  uint32_t w[6];
  while (std::scanf("%u %u %u %u %u %u", w, w + 1, w + 2, w + 3, w + 4, w + 5) == 6) {
    const fastgan::PhiloxBlock out = fastgan::philox4x32({{w[0], w[1], w[2], w[3]}}, {{w[4], w[5]}});
    std::printf("%u %u %u %u\\n", out.word[0], out.word[1], out.word[2], out.word[3]);
  }
}
"""


def test_compiled_generator_gives_the_known_answers(tmp_path):
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    csrc = Path(__file__).parents[2] / "csrc"
    (tmp_path / "philox.cpp").write_text(PROGRAM)
    command = [compiler, "-std=c++17", f"-I{csrc}", "philox.cpp", "-o", "philox"]
    subprocess.run(command, cwd=tmp_path, check=True)
    questions = "\n".join(" ".join(map(str, counter + key)) for counter, key, _ in KNOWN_ANSWERS)
    answers = subprocess.run([tmp_path / "philox"], input=questions, capture_output=True, text=True, check=True).stdout
    assert [tuple(map(int, line.split())) for line in answers.splitlines()] == [known for _, _, known in KNOWN_ANSWERS]


@pytest.mark.parametrize(
    ("counter", "key", "known"), [KNOWN_ANSWERS[0], KNOWN_ANSWERS[2]]
)  # an octet's number has 63 bits
def test_composed_generator_gives_the_known_answers(counter, key, known):
    seed, offset, octet = (low | high << 32 for low, high in (key, counter[:2], counter[2:]))
    drawn = composed.philox_draws(seed, offset, torch.tensor(octet)).tolist()
    assert tuple(low | high << 16 for low, high in zip(drawn[::2], drawn[1::2], strict=True)) == known

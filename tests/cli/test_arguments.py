"""What is done to arguments before typer parses them."""

import pytest

from fastgan.cli._arguments import check_count_and_seed, split_pairs
from fastgan.train import TrainConfig


@pytest.mark.parametrize("name", TrainConfig.tuples())
def test_every_setting_of_several_numbers_may_be_written_with_a_comma(name):
    flag = "--" + name.replace("_", "-")
    for written in ([flag, "0.5,0.9"], [f"{flag}=0.5,0.9"]):
        split = split_pairs(["train", *written, "--seed", "1"], TrainConfig.tuples())
        assert split == ["train", flag, "0.5", "0.9", "--seed", "1"]


def test_other_arguments_keep_their_commas():
    given = ["train", "--augment", "color,cutout", "--methods=a,b", "--betas", "0.5", "0.9"]
    assert split_pairs(given, ["betas"]) == given
    assert "betas" in TrainConfig.tuples()


@pytest.mark.parametrize(
    ("n", "seed", "words"), [(0, 0, "--n to be at least 1"), (1, -1, "--seed in"), (1, 2**63, "--seed")]
)
def test_numbers_out_of_range_are_refused_in_the_commands_name(n, seed, words):
    with pytest.raises(ValueError, match=f"explain: expected {words}"):
        check_count_and_seed("explain", n, seed)

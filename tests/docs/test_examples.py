"""The examples of docs/: those at `>>>` of every page, and the blocks of docs/examples.md.

`.ci/pages.py` runs the other pages' commands and scripts.
"""

import doctest
import math
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from fastgan import cli

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = (ROOT / "docs/examples.md").read_text()
KNOWS_NOTHING = 2 * math.log(2)  # the loss of a discriminator that always says one half
# A word that only the block has which a test below runs.
COMMANDS = "folder:photos --image-size"
SCRIPTS = ("load_run(folder)", "import lightning", "import accelerate")


def blocks(language, text=EXAMPLES):
    """The blocks of a language in a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def block(language, word):
    """The block of a language in which the word occurs."""
    (found,) = [code for code in blocks(language) if word in code]
    return found


WITH_PROMPTS = [path for path in sorted(ROOT.glob("docs/*.md")) if ">>> " in path.read_text()]


@pytest.mark.parametrize("page", WITH_PROMPTS, ids=lambda page: page.name)
def test_examples_of_a_page_give_what_they_show(page):
    text, said = page.read_text(), []
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks("pycon", text)), {}, page.name, str(page), 0)
    assert len(examples.examples) == len(re.findall("^>>> ", text, re.MULTILINE)), "an example outside a pycon block"
    doctest.DocTestRunner(verbose=False).run(examples, out=said.append)
    assert not said, "".join(said)


def test_every_block_of_the_worked_examples_is_run_below():
    assert blocks("sh") == [block("sh", COMMANDS)]
    assert blocks("python") == [block("python", word) for word in SCRIPTS]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with a few made-up images, in the current folder."""
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "photos").mkdir()
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 256, (40, 48, 3), dtype=np.uint8)
        image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shortened(code):
    """The same with two steps of eight images, which are smaller."""
    for pattern, number in ((r"(batch.size[ =])64", 8), (r"(steps[ =])20000", 2), (r"(image.size[ =])32", 8)):
        code, count = re.subn(pattern, rf"\g<1>{number}", code)
        assert count == 1
    return code


def test_the_commands_for_a_folder_of_images_train_sample_and_measure(photos):
    for line in shortened(block("sh", COMMANDS)).splitlines():
        program, *arguments = shlex.split(line)
        assert program == "fastgan"
        with pytest.raises(SystemExit) as end:
            cli.main(arguments)
        assert end.value.code == 0
    assert (photos / "runs/photos/weights.safetensors").stat().st_size > 0
    assert (photos / "grid.png").stat().st_size > 0
    assert (photos / "runs/photos/eval.json").stat().st_size > 0


def test_the_script_for_a_folder_of_images_ends_with_samples_like_them(photos):
    names = {}
    exec(shortened(block("python", SCRIPTS[0])), names)
    assert names["images"].shape == (16, 8, 8, 3)
    assert names["images"].dtype == np.uint8
    assert names["run"].step == 2


@pytest.fixture
def example_with(tmp_path, monkeypatch):
    """Runs the example that imports a library, and returns its names."""

    def run(library):
        pytest.importorskip(library)
        pytest.importorskip("sklearn")
        monkeypatch.chdir(tmp_path)
        names = {}
        exec(block("python", f"import {library}"), names)
        return names

    return run


def test_the_lightning_module_trains(example_with):
    names = example_with("lightning")
    trainer = names["trainer"]
    assert trainer.global_step == 2 * 2 * len(names["loader"])  # epochs, optimizers, batches
    assert 0 < trainer.callback_metrics["loss_d"] < KNOWS_NOTHING
    assert trainer.callback_metrics["p_real"] > trainer.callback_metrics["p_fake"]


def test_the_accelerate_loop_trains(example_with):
    names = example_with("accelerate")
    assert 0 < names["loss_d"].item() < KNOWS_NOTHING
    assert names["statistics"][0] > names["statistics"][1]

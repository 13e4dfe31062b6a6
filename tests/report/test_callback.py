"""The report of a training that is going on."""

import re

from fastgan.report.callback import ReportCallback
from fastgan.train import Callback, GANTrainer, TrainConfig


class Steps(Callback):
    """Remembers the step that the page shows at each checkpoint."""

    def __init__(self):
        self.shown = []

    def on_checkpoint(self, trainer, path):
        page = path.parents[1] / "report.html"
        self.shown.append(int(re.search(r"(\d+) of 6 steps", page.read_text())[1]) if page.exists() else None)


def test_the_page_is_written_with_a_checkpoint_when_it_is_due_and_at_the_end(tmp_path):
    steps = Steps()
    config = TrainConfig(steps=6, batch_size=16, checkpoint_every=1, sample_every=3, out=str(tmp_path / "run"))
    out = GANTrainer(config, callbacks=[ReportCallback(4), steps]).fit()
    assert steps.shown == [None, None, None, 4, 4, 4]
    assert "6 of 6 steps" in (out / "report.html").read_text()

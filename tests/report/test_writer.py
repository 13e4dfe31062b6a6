"""The page: one file with all that a run can show, and words for what it cannot."""

import json
import re
import shutil

import pytest

from fastgan.report import write_report
from fastgan.train.run_folder import RunFolderError


def test_the_page_needs_no_other_file_and_no_network(trained, tmp_path):
    page = write_report([trained["digits"]], tmp_path / "page.html", measure=False).read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) > 20
    assert all(source.startswith("data:") for source in sources)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest", page)


def test_the_page_of_digits_has_every_part(trained):
    path = write_report([trained["digits"]], measure=True)
    assert path == trained["digits"] / "report.html"
    page = path.read_text()
    for part in (
        "Samples during the training",
        "Curves",
        "memory_share_nearer",
        "Between two latents",
        "Nearest training images",
        "Settings that are not the recipe",
    ):
        assert part in page
    assert len(page) < 5_000_000


def test_what_eval_records_about_the_scores_is_no_score(run):
    about = {"step": 6, "samples": 50, "seed": 0, "k": 5, "features": "learned", "data": "digits"}
    (run / "eval.json").write_text(json.dumps({**about, "fid": 3.0, "real": {"fid": 1.0}}))
    page = write_report([run], measure=False).read_text()
    scores = page[page.index("<h3>Scores</h3>") :]
    assert re.findall(r'<th scope="row"><code>(\w+)</code>', scores[: scores.index("</table>")]) == ["fid"]


def test_scores_are_measured_only_where_that_is_asked_for(trained, tmp_path):
    page = write_report([trained["digits"]], tmp_path / "page.html", measure=False).read_text()
    assert "<h3>Scores</h3>" not in page


def test_a_table_has_columns_and_correlations_instead_of_pictures(trained, tmp_path):
    page = write_report([trained["table"]], tmp_path / "page.html", measure=False).read_text()
    assert page.count("<svg viewBox") == 3
    assert "<h3>Correlations</h3>" in page
    assert "Nearest training images" not in page


def test_runs_are_compared_first_by_what_differs_in_their_settings(trained, tmp_path):
    runs = [trained["digits"], trained["conditional"]]
    page = write_report(runs, tmp_path / "page.html", measure=False).read_text()
    assert page.index("Settings that differ") < page.index("Samples during the training")
    assert re.search(r"<code>recipe</code></th><td>mlp</td><td>conditional</td>", page)


def test_runs_of_one_name_are_told_apart_by_their_paths(trained, tmp_path):
    other = shutil.copytree(trained["digits"], tmp_path / "elsewhere" / "digits")
    page = write_report([trained["digits"], other], tmp_path / "page.html", measure=False).read_text()
    assert str(other) in page


def test_a_run_torn_in_the_middle_shows_what_is_whole(run):
    (run / "weights.safetensors").write_bytes(b"torn")
    (run / "samples" / "step-000000004.png").write_bytes(b"torn")
    page = write_report([run]).read_text()
    assert "There is no generator to draw samples from" in page
    assert "step-000000004.png cannot be read" in page
    assert "<h3>Curves</h3>" in page


def test_data_that_are_gone_are_a_note(trained, tmp_path):
    run = shutil.copytree(trained["table"], tmp_path / "run")
    settings = (run / "config.toml").read_text()
    (run / "config.toml").write_text(re.sub(r"^data = .*$", 'data = "csv:gone.csv"', settings, flags=re.MULTILINE))
    page = write_report([run]).read_text()
    assert "The training data cannot be read" in page


def test_text_from_the_run_is_escaped(run):
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"step": 6, "alarm": "dead", "message": "</script><b>bold</b>"}\n')
    page = write_report([run], measure=False).read_text()
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold" in page


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        ("page.pdf", ValueError, r"expected --out to end in \.html, got '.*page\.pdf'"),
        ("none/page.html", FileNotFoundError, "expected the folder .*none of --out to exist"),
    ],
)
def test_an_out_that_cannot_be_is_refused(trained, tmp_path, out, error, message):
    with pytest.raises(error, match=message):
        write_report([trained["digits"]], tmp_path / out)


def test_no_run_and_no_run_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected one run folder or more, got none"):
        write_report([])
    with pytest.raises(RunFolderError, match=f"expected {tmp_path} to be a run folder"):
        write_report([tmp_path])

"""What a run folder records, whole or damaged."""

import json

import pytest

from fastgan.report.records import differing, read_record
from fastgan.train.run_folder import RunFolderError


def test_a_record_holds_settings_statistics_and_grids(trained):
    record = read_record(trained["digits"])
    assert [row["step"] for row in record.statistics] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in record.grids] == [2, 4, 6]
    assert record.notes == []
    assert {s.name: (s.value, s.usual) for s in record.changed()}["batch_size"] == (16, 128)
    assert "recipe" not in {s.name for s in record.changed()}


def test_alarms_are_told_from_statistics(run):
    with open(run / "metrics.jsonl", "a") as file:
        file.write(json.dumps({"step": 6, "alarm": "dead", "message": "the loss is dead"}) + "\n")
    record = read_record(run)
    assert [alarm["alarm"] for alarm in record.alarms] == ["dead"]
    assert len(record.statistics) == 6


def test_settings_that_differ_are_those_of_any_two_runs(trained):
    found = differing([read_record(trained["digits"]), read_record(trained["conditional"])])
    assert found["seed"] == [0, 1]
    assert found["recipe"] == ["mlp", "conditional"]
    assert "batch_size" not in found
    assert "out" not in found


def test_torn_lines_are_counted_and_left_out(run):
    with open(run / "metrics.jsonl", "ab") as file:
        file.write(b'{"step": 7, "loss\n\xff\xfe\n')
    record = read_record(run)
    assert len(record.statistics) == 6
    assert record.notes == ["2 of 8 lines of metrics.jsonl cannot be read and are left out."]


@pytest.mark.parametrize("content", ["{", "[]", '{"fid": 1.0}'])
def test_scores_that_cannot_be_read_are_a_note(run, content):
    (run / "eval.json").write_text(content)
    record = read_record(run)
    assert record.scores == {}
    assert record.notes[0].startswith("eval.json cannot be read")


def test_a_run_without_statistics_has_a_note(run):
    (run / "metrics.jsonl").unlink()
    assert read_record(run).notes == ["The run has no metrics.jsonl, so there are no curves."]


@pytest.mark.parametrize("content", [None, "no toml", 'recipe = "mlp"\nsetting_of_another_version = 1\n'])
def test_a_folder_that_is_no_run_of_this_version_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "config.toml").write_text(content)
    with pytest.raises(RunFolderError, match=r"report: expected .*config\.toml"):
        read_record(tmp_path)

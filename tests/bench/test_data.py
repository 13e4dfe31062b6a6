"""The benchmark of the data layer: it measures every way to read, and writes what it found."""

import json
import sys

from bench_scripts import script


def test_every_source_start_waiting_and_the_memory_of_50_000_images_are_measured(tmp_path, monkeypatch, capsys):
    settings = ["--count", "50000", "--images", "6", "--sizes", "64", "--workers", "1", "--batch-size", "4"]
    settings += ["--batches", "800", "--seconds", "0.05", "--steps", "1", "--folder", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["data.py", *settings, "--json", str(tmp_path / "found.json")])
    script("data").main()
    found = json.loads((tmp_path / "found.json").read_text())
    assert {row["way"] for row in found["rates"]} == {"DataLoader over Pillow", "folder", "shards", "prepared"}
    assert all(row["rate"] > 0 for row in found["rates"])
    assert 0 < found["waiting"]["share"] < 1
    assert found["prepared"]["start_seconds"] > 0
    assert found["prepared"]["count"] == 50_000
    # All 614 MB are read once; a process that kept what it has read would hold them.
    assert all(found["prepared"][f"{name}_resident_bytes"] < 150e6 for name in ("start", "resume"))
    assert "images/s" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]

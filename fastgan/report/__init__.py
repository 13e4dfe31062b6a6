"""A page about one run or several: `write_report` puts settings, curves, pictures and scores into one HTML file.

The file needs no network and no other file. It opens in any browser.

| module | what it holds |
|---|---|
| `fastgan.report.records` | `read_record`: what a run folder holds besides weights |
| `fastgan.report.pictures` | pictures as data URIs, and the frames of the slider |
| `fastgan.report.samples` | what the generator draws for the page: neighbours, interpolations, rows of classes |
| `fastgan.report.columns` | distributions and correlations of a table's columns, real and generated |
| `fastgan.report.callback` | `ReportCallback`: the page of a training that is going on |
| `fastgan.report.writer` | `write_report`: the parts as one page |
"""

from fastgan.report.writer import write_report

__all__ = ["write_report"]

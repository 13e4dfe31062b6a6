"""`fastgan fit`."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastgan._support.extras import check
from fastgan._support.process import threads
from fastgan.cli._table_flags import table_flags, table_options
from fastgan.cli._terminal import Action

if TYPE_CHECKING:
    from fastgan.data.options import ReadOptions

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `fit` to the application `app` of the module `typer`."""
    flags = table_flags(typer)

    def _fit(
        task: str = typer.Option("classify", help="What to train: classify or regress."),
        data: str = typer.Option(
            "digits", help="Labelled data: digits, or csv:, parquet:, npz:, idx: or folder: and a path."
        ),
        target: str = typer.Option(None, help="Column of a table to predict.", show_default="label"),
        separator: str = flags.separator,
        decimal: str = flags.decimal,
        header: str = flags.header,
        encoding: str = flags.encoding,
        drop: str = flags.drop,
        columns: str = flags.columns,
        text: str = flags.text,
        image_size: int = typer.Option(
            0, help="Side in pixels of the square to which images are cropped and resized; 0 keeps their size."
        ),
        color: str = typer.Option("auto", help="Colour of images: grey, rgb, or auto: grey if all images are grey."),
        background: str = typer.Option("white", help="Colour under transparent images: white, black or #rrggbb."),
        strict: bool = typer.Option(
            False,
            "--strict",
            help="Refuse data with a broken image, instead of skipping the image.",
            show_default="off",
        ),
        hidden: str = typer.Option(
            "128,128", help="Widths of the hidden layers, with commas; none for a linear model."
        ),
        dropout: float = typer.Option(0.5, help="Dropout probability after each hidden layer."),
        negative_slope: float = typer.Option(0.0, help="Slope of leaky ReLU below zero."),
        l1: float = typer.Option(0.0, help="Weight of the sum of absolute weights."),
        l2: float = typer.Option(0.0, help="Weight of half the sum of squared weights."),
        class_weight: str = typer.Option(
            "none", help="Weights of the classes in the loss: none, or balanced, which weighs rare ones more."
        ),
        sampling: str = typer.Option(
            "uniform", help="How samples are drawn: uniform, or balanced, which draws all classes equally often."
        ),
        epochs: int = typer.Option(200, help="Largest number of passes over the data."),
        batch_size: int = typer.Option(64, help="Samples in each update."),
        lr: float = typer.Option(1e-3, help="Adam's learning rate."),
        schedule: str = typer.Option(
            "constant", help="Learning rate over the run: constant, or cosine, which falls to 0."
        ),
        patience: int = typer.Option(
            20, help="Stop after this many epochs without a lower validation loss; 0 never stops early."
        ),
        validation_fraction: float = typer.Option(
            0.1, help="Share of the training samples kept for the validation loss."
        ),
        search: list[str] = typer.Option(  # noqa: B008 - how typer is told
            [],
            help="Choose a setting by cross-validation: dropout=0.0:0.8:9 or l2=0,1e-4; may be repeated.",
            show_default="none",
        ),
        cv: int = typer.Option(5, help="Folds of the cross-validation of --search."),
        draws: int = typer.Option(0, help="Combinations that --search tries, drawn at random; 0 tries all."),
        test: float = typer.Option(0.2, help="Share of the samples held out to test the result."),
        seed: int = typer.Option(0, help="Seed of every random choice."),
        device: str = typer.Option("auto", help="cpu, cuda, cuda:N, or auto: a GPU where there is one."),
        threads: int = typer.Option(1, help="CPU threads; 0 leaves torch's number."),
        out: str = typer.Option(
            None,
            help="Folder for the results: figures, plots and weights.",
            show_default="a new folder runs/fit-DATA-TIME",
        ),
    ) -> Action:
        from fastgan.data.options import ReadOptions

        table = table_options(separator, decimal, header, encoding, drop, columns, text)
        settings = {
            "hidden": hidden,
            "dropout": dropout,
            "negative_slope": negative_slope,
            "l1": l1,
            "l2": l2,
            "class_weight": None if class_weight == "none" else class_weight,
            "sampling": sampling,
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "schedule": schedule,
            "validation_fraction": validation_fraction,
            "patience": patience,
            "device": device,
        }
        return partial(
            fit,
            task=task,
            data=data,
            target=target,
            options=ReadOptions(image_size, color, background, strict, table=table),
            settings=settings,
            searches=search,
            cv=cv,
            draws=draws,
            test=test,
            seed=seed,
            cpu_threads=threads,
            out=out,
        )

    app.command("fit", help=fit.__doc__)(_fit)


def fit(
    *,
    task: str,
    data: str,
    target: str | None,
    options: ReadOptions,
    settings: dict[str, Any],
    searches: list[str],
    cv: int,
    draws: int,
    test: float,
    seed: int,
    cpu_threads: int,
    out: str | None,
) -> None:
    """Train a classifier or regressor with dropout, L1 and L2; with --search, choose them by cross-validation."""
    from fastgan.supervised import fitting, search
    from fastgan.supervised.samples import load_samples

    check(("sklearn", "matplotlib", "safetensors"))
    grid = dict(map(search.parse_setting, searches))
    settings = {**settings, "hidden": _widths(settings["hidden"])}
    if task not in ("classify", "regress"):
        raise ValueError(f"fit: expected --task to be classify or regress, got '{task}'")
    if not 0 < test < 1:
        raise ValueError(f"fit: expected --test in (0, 1), got {test}")
    if not 0 <= seed < 2**32:
        raise ValueError(f"fit: expected --seed in [0, 2**32), got {seed}")
    folder = _new_folder(out, data)
    samples = load_samples(data, target, task, options)
    for note in samples.notes:
        print(note)
    with threads(cpu_threads):
        result = fitting.fit_samples(samples, task, settings, grid, cv=cv, draws=draws, test=test, seed=seed)
    if result.search is not None:
        best = ", ".join(f"{name} {value:g}" for name, value in result.search.best.items())
        print("\n".join(result.search.lines()))
        print(f"best: {best}; trained with it:")
    print(f"{'':<20}{'training':>12}{'held out':>12}   ({result.counts[0]} and {result.counts[1]} samples)")
    for name, pair in result.figures.items():
        print(f"{name:<20}{pair['training']:>12.4f}{pair['held out']:>12.4f}")
    read = {name: getattr(options, name) for name in ("image_size", "color", "background", "strict")}
    about = {"task": task, "data": data, "images": read, "table": options.table.given}
    result.write(folder, {**about, "seed": seed, "test": test, "settings": settings})
    print(f"written to {folder}")


def _new_folder(out: str | None, data: str) -> Path:
    """The path of the folder for the results, which must not hold any; the folder is not made yet."""
    from fastgan.train import RunFolderError

    if out is None:
        return Path("runs") / f"fit-{data.partition(':')[0]}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"fit: expected --out to be a folder, got the file {folder}")
    for name in ("fit.json", "config.toml"):
        if (folder / name).exists():
            raise RunFolderError(f"fit: expected an --out without results, got {folder} with {name}")
    return folder


def _widths(text: str) -> tuple[int, ...]:
    """The widths in a text such as `128,128`; none of them in `none`."""
    if text.strip().lower() in ("", "none"):
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"fit: expected --hidden as 128,128 or none, got '{text}'") from None

"""`fastgan explain`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fastgan._support.extras import check
from fastgan._support.files import write_with
from fastgan._support.progress import open_progress
from fastgan.cli._arguments import check_count_and_seed
from fastgan.cli._terminal import Action

if TYPE_CHECKING:
    from fastgan.train import Run

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `explain` to the application `app` of the module `typer`."""

    def _explain(
        run: str = typer.Argument(metavar="RUN", help="A run folder of fastgan train."),
        data: str = typer.Option(
            None, help="Real samples to explain: digits, or npz:PATH and the like.", show_default="generated samples"
        ),
        n: int = typer.Option(8, help="Number of samples to explain."),
        methods: str = typer.Option("integrated_gradients,lime,kernel_shap", help="Methods, with commas."),
        baseline: float = typer.Option(
            None,
            help="Value that stands for an absent feature.",
            show_default="black (-1) for images, the mean (0) for table columns",
        ),
        perturbations: int = typer.Option(1000, help="Perturbations of each sample by LIME and kernel SHAP."),
        seed: int = typer.Option(0, help="Seed of the samples and the perturbations."),
        out: str = typer.Option(
            None,
            help="Picture to write, ending in .png; the arrays are written beside it, ending in .npz.",
            show_default="explain.png in RUN",
        ),
    ) -> Action:
        return partial(
            explain,
            run,
            data=data,
            n=n,
            methods=methods,
            baseline=baseline,
            perturbations=perturbations,
            seed=seed,
            out=out,
        )

    app.command("explain", help=explain.__doc__)(_explain)


def explain(
    run: str,
    *,
    data: str | None,
    n: int,
    methods: str,
    baseline: float | None,
    perturbations: int,
    seed: int,
    out: str | None,
) -> None:
    """Show what a run's discriminator looks at: heat maps by integrated gradients, LIME and kernel SHAP."""
    check(("captum", "matplotlib"), "explain")
    from fastgan.data.table.conditions import row_conditions
    from fastgan.explain import PackedDiscriminator, attribute, heat_maps
    from fastgan.train.pictures import is_image
    from fastgan.train.saved_run import load_discriminator, load_run

    check_count_and_seed("explain", n, seed)
    trained = load_run(run)
    trained.check_translates("explain", translates=False)
    target = Path(out) if out is not None else trained.path / "explain.png"
    if target.suffix.lower() != ".png":
        raise ValueError(f"explain: expected --out to end in .png, got '{out}'")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"explain: expected the folder {target.parent} of --out to exist")
    if data is None:
        samples, labels = trained.sample(n, seed), trained.labels(n) if trained.classes else None
    else:
        samples, labels = _load_samples(trained, data, n)
    if trained.encoding is not None:
        labels = row_conditions(samples, trained.encoding.segments, seed)
    discriminator = load_discriminator(run)
    if trained.config.pack > 1:
        discriminator = PackedDiscriminator(discriminator, trained.config.pack)
    lowest = -1.0 if is_image(tuple(samples.shape[1:])) else 0.0  # black, or a standardised column's mean
    names = [name.strip().replace("-", "_") for name in methods.split(",")]
    progress = open_progress("explain", len(names) * len(samples), unit="sample")
    try:
        found = attribute(
            discriminator,
            samples,
            labels,
            methods=names,
            baseline=lowest if baseline is None else baseline,
            perturbations=perturbations,
            seed=seed,
            progress=progress.update,
        )
    finally:
        progress.close()
    with torch.no_grad():
        logits = (discriminator(samples) if labels is None else discriminator(samples, labels)).flatten()
    names = [""] * len(samples)
    if trained.classes and labels is not None:
        names = [f"{name}, " for name in trained.names_of(labels)]
    titles = [f"{name}logit {value:.2f}" for name, value in zip(names, logits.tolist(), strict=True)]
    heat_maps(samples, found, titles, target, trained.units.columns)
    arrays = {"samples": samples, "logits": logits, **found}
    stored: dict[str, Any] = {name: value.numpy() for name, value in arrays.items()}
    write_with(target.with_suffix(".npz"), lambda file: np.savez_compressed(file, **stored))
    kind = "generated" if data is None else "given"
    print(f"explained {len(samples)} {kind} samples of step {trained.step}: {target} and {target.with_suffix('.npz')}")


def _load_samples(trained: Run, data: str, n: int) -> tuple[Tensor, Tensor | None]:
    """The first `n` samples of `data`, in the units of the run's, and labels for a conditional run."""
    from fastgan.train.run_data import run_data

    found = run_data(trained, data, "explain", whole=True)
    for note in found.notes:
        print(note)
    loaded = found.data
    if loaded.sample_shape != trained.sample_shape:
        raise ValueError(
            f"explain: expected samples of shape {trained.sample_shape}, as the run's, in '{data}', "
            f"got {loaded.sample_shape}"
        )
    if trained.classes and loaded.labels is None:
        raise ValueError(f"explain: expected labels in '{data}' for the conditional run {trained.path}, got none")
    labels = loaded.labels[:n] if trained.classes and loaded.labels is not None else None
    return loaded.batch(torch.arange(min(n, len(loaded)))).cpu(), labels

"""The commands beyond GANs' training: `fastgan fit | impute | explain`; only their options, the work is elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

Action = Callable[[], None]


def register(app: Any, typer: Any) -> None:
    """Add the commands to the typer application; each returns what to do, for `main` to do it."""
    from fastgan.explain import explain
    from fastgan.fitting import fit
    from fastgan.tables import impute

    def _fit(
        task: str = typer.Option("classify", help="classify or regress."),
        data: str = typer.Option("digits", help="digits, csv:PATH, or npz:, idx: or folder: with labels."),
        target: str = typer.Option(None, help="The column to predict; by default `label`."),
        hidden: str = typer.Option("128,128", help="Features of the hidden layers; none for a linear model."),
        dropout: float = typer.Option(0.5, help="Dropout probability after each hidden layer."),
        negative_slope: float = typer.Option(0.0, help="Slope of leaky ReLU below zero."),
        l1: float = typer.Option(0.0, help="Weight of the L1 penalty on the weights."),
        l2: float = typer.Option(0.0, help="Weight of half the L2 penalty on the weights."),
        class_weight: str = typer.Option(None, help="balanced weighs rare classes' losses more."),
        sampling: str = typer.Option("uniform", help="balanced draws all classes equally often."),
        epochs: int = typer.Option(200, help="At most so many passes over the data."),
        batch_size: int = typer.Option(64, help="Samples of an update."),
        lr: float = typer.Option(1e-3, help="Adam's learning rate."),
        schedule: str = typer.Option("constant", help="constant, or cosine to 0."),
        patience: int = typer.Option(20, help="Stop after so many epochs without a better one; 0 does not."),
        validation_fraction: float = typer.Option(0.1, help="Share of the training samples that stopping watches."),
        search: list[str] = typer.Option(  # noqa: B008 - how typer is told
            [], help="Choose a setting by cross-validation: dropout=0.0:0.8:9 or l2=0,1e-4; may be repeated."
        ),
        cv: int = typer.Option(5, help="Folds of --search."),
        draws: int = typer.Option(0, help="Combinations to try in --search, drawn at random; 0 tries all."),
        test: float = typer.Option(0.2, help="Share of the samples held out for the figures."),
        seed: int = typer.Option(0, help="Same seed, same result."),
        device: str = typer.Option("auto", help="cpu, cuda, cuda:N or auto."),
        threads: int = typer.Option(1, help="CPU threads; 0 leaves torch's number."),
        out: str = typer.Option(None, help="Folder for figures, plots and weights; by default a new one under runs/."),
    ) -> Action:
        settings = {
            "hidden": _widths(hidden),
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
            settings=settings,
            searches=search,
            cv=cv,
            draws=draws,
            test=test,
            seed=seed,
            cpu_threads=threads,
            out=out,
        )

    def _impute(
        source: str = typer.Argument(
            metavar="IN.CSV", help="A table; cells that are empty, NA, NaN, null or ? are missing."
        ),
        target: str = typer.Argument(metavar="OUT.CSV", help="The table to write, with the missing cells filled in."),
        keep: str = typer.Option("", help="Columns that are copied and not learnt from, as id,name."),
        steps: int = typer.Option(3000, help="At most so many updates of D and of G."),
        batch_size: int = typer.Option(128, help="Samples of an update."),
        hidden: int = typer.Option(0, help="Features of hidden layers; 0 takes max(features, 16)."),
        dropout: float = typer.Option(0.0, help="Dropout probability in D."),
        hint_rate: float = typer.Option(0.9, help="Share of the mask that D is told."),
        alpha: float = typer.Option(100.0, help="Weight of the reconstruction."),
        lr: float = typer.Option(1e-3, help="Adam's learning rate."),
        validation_fraction: float = typer.Option(0.1, help="Share of the values to hide, that tells when to stop."),
        seed: int = typer.Option(0, help="Same seed, same result."),
        device: str = typer.Option("auto", help="cpu, cuda, cuda:N or auto."),
        threads: int = typer.Option(1, help="CPU threads; 0 leaves torch's number."),
    ) -> Action:
        settings = {
            "steps": steps,
            "batch_size": batch_size,
            "hidden": hidden,
            "dropout": dropout,
            "hint_rate": hint_rate,
            "alpha": alpha,
            "lr": lr,
            "validation_fraction": validation_fraction,
            "random_state": seed,
            "device": device,
        }
        return partial(impute, source, target, keep=keep, settings=settings, cpu_threads=threads)

    def _explain(
        run: str = typer.Argument(metavar="RUN", help="A run folder of fastgan train."),
        data: str = typer.Option(None, help="Samples to explain, as digits or npz:PATH; by default generated ones."),
        n: int = typer.Option(8, help="How many samples."),
        methods: str = typer.Option("integrated_gradients,lime,kernel_shap", help="Which methods."),
        baseline: float = typer.Option(None, help="What stands for nothing; by default black, or a column's mean."),
        perturbations: int = typer.Option(1000, help="Of each sample, by LIME and kernel SHAP."),
        seed: int = typer.Option(0, help="Seed of samples and perturbations."),
        out: str = typer.Option(
            None, help="The picture, PNG; by default explain.png in RUN. The arrays lie beside it."
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

    app.command("fit", help=fit.__doc__)(_fit)
    app.command("impute", help=impute.__doc__)(_impute)
    app.command("explain", help=explain.__doc__)(_explain)


def _widths(text: str) -> tuple[int, ...]:
    """`128,128` as numbers; `none` as no hidden layer."""
    if text.strip().lower() in ("", "none"):
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"fit: expected --hidden as 128,128 or none, got '{text}'") from None

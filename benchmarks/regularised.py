"""Measure the effect of regularised training: dropout, L1 and L2, class weights, GAIN, explanations of D.

`python benchmarks/regularised.py --json PATH` writes all figures. Seeds are fixed, so another machine gives the same
figures up to rounding. The data are scikit-learn's own: digits, breast cancer, wine.
"""

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_wine, make_regression
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the next import work
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.linear_model import ElasticNet, Lasso, Ridge
from sklearn.metrics import recall_score
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from fastgan.bench import machine
from fastgan.data import digits
from fastgan.explain import METHODS, attribute
from fastgan.supervised import fit_supervised
from fastgan.supervised.estimators import FastGANClassifier, FastGANRegressor
from fastgan.supervised.fitting import make_model
from fastgan.supervised.search import Search, parse_setting
from fastgan.tabular.impute import GAINImputer
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.saved_run import load_discriminator

SEARCHED = {"epochs": 60, "batch_size": 128, "lr": 4e-3, "patience": 0, "validation_fraction": 0}


def shuffled_digits():
    data = digits()
    rows = torch.randperm(len(data.samples), generator=torch.Generator().manual_seed(0))
    return data.samples.flatten(1)[rows], data.labels[rows]


def search(plot):
    """What `fastgan fit --search dropout=0.0:0.8:9 --cv 5` does, over 600 digits and without early stopping."""
    x, y = (t[:600] for t in shuffled_digits())
    model, prefix = make_model("classify", 0, SEARCHED, table=False)
    grid = dict([parse_setting("dropout=0.0:0.8:9")])
    found = Search(model, grid, prefix=prefix, classify=True, cv=5, draws=0, seed=0).fit(x.double().numpy(), y.numpy())
    print("\n".join(found.lines()))
    if plot:
        found.plot(plot, ("log loss", "accuracy"))
    return found.rows


def wrong_labels():
    """Train on 600 digits, a fifth of them mislabelled, and test on 600 that are right: means over three seeds."""
    x, y = shuffled_digits()
    held_out = (x[-600:], y[-600:])
    x, y = x[:600], torch.where(torch.arange(600) % 5 == 0, (y[:600] + 1) % 10, y[:600])
    rows = []
    for p in (0.0, 0.25, 0.5, 0.75):
        fits = [
            fit_supervised(x, y, held_out=held_out, dropout=p, epochs=60, patience=0, lr=3e-3, seed=seed).history[-1]
            for seed in range(3)
        ]
        rows.append({"dropout": p, **{name: float(np.mean([row[name] for row in fits])) for name in fits[0]}})
        print({name: round(value, 3) for name, value in rows[-1].items()})
    return rows


def penalties():
    """The largest difference of a coefficient from scikit-learn's, for ridge, lasso and elastic net."""
    x, y = make_regression(120, 8, n_informative=4, bias=3.0, noise=5.0, random_state=0)
    x, y = StandardScaler().fit_transform(x), y / 50
    settings = {"hidden": (), "epochs": 1200, "batch_size": 120, "lr": 0.05, "schedule": "cosine"}
    result = {}
    for name, weights, reference in (
        ("ridge", {"l2": 0.3}, Ridge(alpha=0.3 * 120)),
        ("lasso", {"l1": 0.2}, Lasso(alpha=0.2)),
        ("elastic net", {"l1": 0.1, "l2": 0.3}, ElasticNet(alpha=0.4, l1_ratio=0.25)),
    ):
        model = FastGANRegressor(**settings, **weights, validation_fraction=0, random_state=0).fit(x, y)
        found = model.fit_.model[-1].weight.detach().numpy()[0]
        result[name] = float(np.abs(found - reference.fit(x, y).coef_).max())
    print(result)
    return result


def imbalance():
    """Recall, on new samples, of a class of 5% that overlaps the other; means over five seeds."""

    def draw(seed):
        random = np.random.default_rng(seed)
        x = np.concatenate((random.normal(0, 1, (950, 2)), random.normal(1.2, 0.3, (50, 2))))
        return x, np.repeat([0, 1], (950, 50))

    methods = {"none": {}, "class weights": {"class_weight": "balanced"}, "weighted sampling": {"sampling": "balanced"}}
    result = {}
    for name, settings in methods.items():
        recalls, others = [], []
        for seed in range(5):
            model = FastGANClassifier(hidden=(32,), dropout=0.2, epochs=30, lr=2e-2, random_state=seed, **settings)
            found = model.fit(*draw(seed)).predict((held := draw(100 + seed))[0])
            recalls.append(recall_score(held[1], found))
            others.append(recall_score(held[1], found, pos_label=0))
        result[name] = {"rare recall": float(np.mean(recalls)), "common recall": float(np.mean(others))}
    print(result)
    return result


def imputation():
    """RMSE of 20% hidden cells, features scaled to [0, 1]: mean and standard error over five masks."""
    warnings.filterwarnings("ignore", category=UserWarning)  # IterativeImputer's, that it has not converged
    result = {}
    for name, load in (("breast cancer", load_breast_cancer), ("wine", load_wine)):
        x = MinMaxScaler().fit_transform(load().data)
        errors = {"SimpleImputer": [], "IterativeImputer": [], "GAINImputer": []}
        for seed in range(5):
            hidden = np.random.default_rng(seed).random(x.shape) < 0.2
            holes = np.where(hidden, np.nan, x)
            for imputer in (SimpleImputer(), IterativeImputer(random_state=seed), GAINImputer(random_state=seed)):
                filled = imputer.fit_transform(holes)
                errors[type(imputer).__name__].append(np.sqrt(np.mean((filled - x)[hidden] ** 2)))
        result[name] = {
            who: {"rmse": float(np.mean(e)), "standard error": float(np.std(e, ddof=1) / np.sqrt(5))}
            for who, e in errors.items()
        }
        print(name, result[name])
    return result


def explanations():
    """How far D's logit falls when the 8 pixels that count most for "real" become black, or 8 random inked ones."""
    with tempfile.TemporaryDirectory() as folder:
        run = GANTrainer(TrainConfig(out=f"{folder}/run", steps=3000, threads=1)).fit()
        discriminator = load_discriminator(run)
    samples = digits().samples[:64]
    found = attribute(discriminator, samples, methods=METHODS, baseline=-1.0)
    random = torch.rand(samples.shape, generator=torch.Generator().manual_seed(0)) * (samples > -1)

    @torch.no_grad()
    def fall(scores):
        cells = scores.flatten(1).topk(8).indices
        without = samples.flatten(1).scatter(1, cells, -1.0).reshape(samples.shape)
        return (discriminator(samples) - discriminator(without)).mean().item()

    result = {name: fall(values) for name, values in found.items()} | {"random inked pixels": fall(random)}
    print(result)
    return result


def main():
    works = {
        "penalties": penalties,
        "imbalance": imbalance,
        "imputation": imputation,
        "wrong labels": wrong_labels,
        "explanations": explanations,
        "dropout search": lambda: search(options.plot),
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write machine and figures to this file")
    parser.add_argument("--plot", type=Path, help="draw the dropout search into this file")
    parser.add_argument(
        "--only", choices=works, help="measure only this, and leave the other figures of --json as they are"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    kept = options.only and options.json and options.json.exists()
    figures = json.loads(options.json.read_text())["figures"] if kept else {}
    for name, work in works.items():
        if options.only not in (None, name):
            continue
        start = time.perf_counter()
        print(f"-- {name}")
        figures[name] = work()
        print(f"   {time.perf_counter() - start:.0f} s", flush=True)
        if options.json:
            content = {"machine": {**machine("cpu"), "threads": 1}, "figures": figures}
            options.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Tasks of `neural.py` in an environment with fastai: ``_worker_neural_fastai.py TASK FOLDER``.

The folder holds the files of ``_worker_neural.py`` and ``setup.json``: n_rows, layers, batch_size, epochs and device.

train : train ``tabular_learner`` on the first n_rows of ``encoded.npz``, then predict.
row   : train on ``raw.csv`` with the preprocessing of fastai and predict single raw rows.
"""

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _timing import Stopwatch
from fastai.tabular.all import (
    Callback,
    Categorify,
    FillMissing,
    Learner,
    Normalize,
    TabularPandas,
    add_datepart,
    cont_cat_split,
    default_device,
    set_seed,
    tabular_learner,
)

LEARNING_RATE, MAX_CARD = 1e-2, 9_000
N_WARM_UP, N_ROWS = 20, 200

warnings.filterwarnings("ignore")  # pandas warns about its use in fastai


class EpochTimer(Callback):
    """Records the training seconds of each epoch, without validation."""

    def __init__(self) -> None:
        self.epoch_seconds: list[float] = []

    def before_train(self) -> None:
        self.started = time.perf_counter()

    def after_train(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.epoch_seconds.append(time.perf_counter() - self.started)


def train(watch: Stopwatch, folder: Path, setup: dict) -> None:
    """Train on the columns common to all workers, with the loaders and AdamW of fastai."""
    with np.load(folder / "encoded.npz") as file:
        table = dict(file)
    n_rows, categories, continuous = setup["n_rows"], table["categories"].tolist(), table["continuous"].tolist()
    frame = _frame(table)
    splits = list(range(n_rows)), list(range(n_rows, len(frame)))
    to = TabularPandas(frame, [Categorify], categories, continuous, y_names="target", splits=splits)
    timer = EpochTimer()
    learn = _fit(to, setup, [timer])
    watch.values["epoch"] = statistics.median(timer.epoch_seconds[1:])
    watch.values["training_mib"] = Stopwatch().values["imports_mib"]  # a new stopwatch records the current peak
    watch.values["gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
    with watch.stage("predict"):
        _predict(learn, frame.iloc[:n_rows])
    errors = _predict(learn, frame.iloc[n_rows:]) - table["target"][n_rows:]
    watch.values["rmse"] = float(table["scale"] * np.sqrt((errors**2).mean()))
    shapes = [tuple(embedding.weight.shape) for embedding in learn.model.embeds]
    columns = {"categories": dict(zip(to.cat_names, shapes, strict=True)), "continuous": list(to.cont_names)}
    (folder / "columns-fastai.json").write_text(json.dumps(columns))


def row(watch: Stopwatch, folder: Path, setup: dict) -> None:
    """Predict single raw rows with ``predict`` and with the data loader used for frames."""
    sales = pd.read_csv(folder / "raw.csv", low_memory=False)
    raw = sales.head(N_WARM_UP + N_ROWS).drop(columns="SalePrice")
    sales["SalePrice"] = np.log(sales["SalePrice"])
    df = add_datepart(sales, "saledate")
    continuous, categories = cont_cat_split(df, max_card=MAX_CARD, dep_var="SalePrice")
    n_train = len(df) - len(df) // 10
    splits = list(range(n_train)), list(range(n_train, len(df)))
    procs = [Categorify, FillMissing, Normalize]
    learn = _fit(TabularPandas(df, procs, categories, continuous, y_names="SalePrice", splits=splits), setup, [])
    watch.values["one_row_ms"] = _one_row_ms(raw, lambda one: learn.predict(add_datepart(one, "saledate").iloc[0]))
    watch.values["one_row_test_dl_ms"] = _one_row_ms(raw, lambda one: _predict(learn, add_datepart(one, "saledate")))


def _frame(table: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return all rows with labels 1..K and code 0 as missing, so that `Categorify` reproduces the given codes."""
    columns = {
        name: pd.Categorical.from_codes(codes - 1, categories=range(1, size))
        for name, size, codes in zip(table["categories"].tolist(), table["sizes"], table["codes"].T, strict=True)
    }
    columns |= dict(zip(table["continuous"].tolist(), table["numbers"].T, strict=True))
    return pd.DataFrame({**columns, "target": table["target"]})


def _fit(to: TabularPandas, setup: dict, callbacks: list[Callback]) -> Learner:
    set_seed(0)
    learn = tabular_learner(to.dataloaders(bs=setup["batch_size"]), layers=setup["layers"], cbs=callbacks)
    learn.remove_cb(learn.progress)  # a progress bar would take time
    with learn.no_logging():
        learn.fit_one_cycle(setup["epochs"], LEARNING_RATE)
    return learn


def _predict(learn: Learner, frame: pd.DataFrame) -> np.ndarray:
    """Return predictions of a frame that is processed like the training frame."""
    return learn.get_preds(dl=learn.dls.test_dl(frame))[0].squeeze(1).numpy()


def _one_row_ms(raw: pd.DataFrame, predict: Callable[[pd.DataFrame], object]) -> float:
    """Return the median milliseconds of `predict` over single rows, after a warm-up."""
    milliseconds = []
    for i in range(N_WARM_UP + N_ROWS):
        one = raw.iloc[[i % len(raw)]].copy()  # add_datepart modifies its argument
        start = time.perf_counter()
        predict(one)
        milliseconds.append(1000 * (time.perf_counter() - start))
    return statistics.median(milliseconds[N_WARM_UP:])


if __name__ == "__main__":
    stopwatch = Stopwatch()
    task, where = sys.argv[1], Path(sys.argv[2])
    setup = json.loads((where / "setup.json").read_text())
    default_device(setup["device"] == "cuda")
    {"train": train, "row": row}[task](stopwatch, where, setup)
    stopwatch.report("fastai", "torch", "pandas", "numpy")

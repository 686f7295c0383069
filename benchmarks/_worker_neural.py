"""Tasks of `neural.py` for tabrec and torch: ``_worker_neural.py TASK FOLDER [PRECISION]``, one task per process.

The folder's ``setup.json`` holds n_rows, layers, batch_size, epochs and device. `write` and `encode` create the tables.

machine          : write the device and its capabilities to ``machine.json``.
write            : generate auctions and write them to ``raw.csv``.
encode           : generate auctions, 10 % more than n_rows, and write them encoded to ``encoded.npz``.
tabrec PRECISION : train `TabularRegressor` on the first n_rows, then predict; float32, or auto.
plain PRECISION  : the same with a minimal loop in torch; float32, or bfloat16.
row              : train on ``raw.csv`` and predict single raw rows of it.
"""

import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _timing import Stopwatch
from torch import Tensor, nn
from torch.nn import functional as F

from tabrec import DateParts, TabularPreprocessor, TabularRegressor
from tabrec.datasets import make_auctions
from tabrec.neural.devices import read_device, uses_bfloat16

LEARNING_RATE, WEIGHT_DECAY = 1e-2, 0.01
MAX_CARD = 9_000  # integer columns with more values are continuous, as in chapter 9 of fastai's book
N_WARM_UP, N_ROWS = 20, 200


def machine(watch: Stopwatch, folder: Path, setup: dict) -> None:
    """Record the device, the bfloat16 support of device and CPU, the number of torch threads, and the GPU."""
    device = read_device(setup["device"]).type
    abilities = {
        "device": device,
        "cpu_has_bfloat16": uses_bfloat16("auto", torch.device("cpu"), 10**12),
        "device_has_bfloat16": uses_bfloat16("auto", torch.device(device), 10**12),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
    }
    (folder / "machine.json").write_text(json.dumps(abilities))


def write(watch: Stopwatch, folder: Path, setup: dict) -> None:
    """Generate the raw auctions once for all workers."""
    make_auctions(setup["n_rows"], random_state=0).to_csv(folder / "raw.csv", index=False)


def encode(watch: Stopwatch, folder: Path, setup: dict) -> None:
    """Encode the auctions once: codes, numbers and the standardised log price, with column names and sizes."""
    n_rows = setup["n_rows"]
    sales = make_auctions(n_rows + n_rows // 10, random_state=0)
    log_price = np.log(sales.pop("SalePrice").to_numpy())
    parts = DateParts().fit_transform(sales)
    # The book treats the days since 1970 as continuous, although there are fewer than 9,000.
    preprocessor = TabularPreprocessor("net", max_card=MAX_CARD, continuous_columns=["saleElapsed"])
    encoded = preprocessor.fit(parts.iloc[:n_rows]).transform(parts)
    categories = encoded.select_dtypes("category")
    numbers = encoded.drop(columns=categories.columns)
    np.savez(
        folder / "encoded.npz",
        categories=np.array(categories.columns, dtype=str),
        sizes=[len(dtype.categories) for dtype in categories.dtypes],
        continuous=np.array(numbers.columns, dtype=str),
        codes=np.column_stack([categories[name].cat.codes for name in categories]).astype(np.int32),
        numbers=numbers.to_numpy(np.float32),
        target=((log_price - log_price[:n_rows].mean()) / log_price[:n_rows].std()).astype(np.float32),
        scale=log_price[:n_rows].std(),
    )


def tabrec(watch: Stopwatch, folder: Path, setup: dict, precision: str) -> None:
    """Train `TabularRegressor` on the encoded frame."""
    table, n_rows = _read(folder), setup["n_rows"]
    train, held_out = _frame(table, slice(n_rows)), _frame(table, slice(n_rows, None))
    net = _book_regressor(setup, {"float32": False, "auto": "auto"}[precision])
    sizes = zip(table["categories"].tolist(), table["sizes"].tolist(), strict=True)
    net.set_params(embedding_sizes={name: _width(size) for name, size in sizes})
    net.fit(train, table["target"][:n_rows])
    _note_training(watch, net.history_["seconds"])
    with watch.stage("predict"):
        net.predict(train)
    _note_rmse(watch, net.predict(held_out), table, n_rows)
    model: Any = net.model_
    widths = {name: model.embeddings.sizes[name] for name in model.config["category_sizes"]}
    _write_columns(folder, f"tabrec-{precision}", widths, list(train.columns[len(widths) :]))


def plain(watch: Stopwatch, folder: Path, setup: dict, precision: str) -> None:
    """Train the same net with a minimal loop."""
    table, n_rows, device = _read(folder), setup["n_rows"], torch.device(setup["device"])
    torch.manual_seed(0)
    model = PlainNet(table["sizes"].tolist(), table["numbers"].shape[1], setup["layers"]).to(device)
    columns = [torch.from_numpy(table[name]).to(device) for name in ("codes", "numbers", "target")]
    train, held_out = [part[:n_rows] for part in columns], [part[n_rows:] for part in columns]
    seconds = _train_plainly(model, train, setup, _precision(device, precision))
    _note_training(watch, seconds)
    with watch.stage("predict"):
        _predict_plainly(model, *train[:2])
    _note_rmse(watch, _predict_plainly(model, *held_out[:2]), table, n_rows)
    shapes = [tuple(embedding.weight.shape) for embedding in model.embeddings]
    widths = dict(zip(table["categories"].tolist(), shapes, strict=True))
    _write_columns(folder, f"plain-{precision}", widths, table["continuous"].tolist())


def row(watch: Stopwatch, folder: Path, setup: dict) -> None:
    """Predict single raw rows with the net of the book and with default parameters."""
    sales = pd.read_csv(folder / "raw.csv", low_memory=False)
    log_price = np.log(sales.pop("SalePrice"))
    as_it_comes = TabularRegressor(epochs=setup["epochs"], device=setup["device"], random_state=0)
    watch.values["one_row_ms"] = _one_row_ms(_book_regressor(setup, "auto").fit(sales, log_price), sales)
    watch.values["one_row_default_ms"] = _one_row_ms(as_it_comes.fit(sales, log_price), sales)


class PlainNet(nn.Module):
    """One embedding per column, then linear → ReLU → batch norm, widths and initialisation as in fastai."""

    def __init__(self, sizes: list[int], n_numbers: int, layers: list[int]):
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(n, _width(n)) for n in sizes)
        for embedding in self.embeddings:
            nn.init.trunc_normal_(embedding.weight, std=0.01, a=-0.02, b=0.02)
        self.norm = nn.BatchNorm1d(n_numbers)
        widths = [sum(embedding.embedding_dim for embedding in self.embeddings) + n_numbers, *layers]
        blocks = [(nn.Linear(n_in, n_out), nn.ReLU(), nn.BatchNorm1d(n_out)) for n_in, n_out in pairwise(widths)]
        self.layers = nn.Sequential(*(part for block in blocks for part in block), nn.Linear(widths[-1], 1))

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        # (B, C), (B, N) → (B,)
        vectors = [embedding(column) for embedding, column in zip(self.embeddings, codes.T, strict=True)]
        return self.layers(torch.cat([*vectors, self.norm(numbers)], dim=1)).squeeze(1)


def _width(n_codes: int) -> int:
    """Return the width of an embedding by the rule of fastai."""
    return min(600, round(1.6 * n_codes**0.56))


def _train_plainly(
    model: PlainNet, rows: list[Tensor], setup: dict, precision: Callable[[], AbstractContextManager]
) -> list[float]:
    """Return the seconds of each epoch."""
    codes, numbers, target = rows
    n_rows, batch_size, epochs = len(target), setup["batch_size"], setup["epochs"]
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY, fused=True)
    n_steps = epochs * math.ceil(n_rows / batch_size)
    rise = max(0.25, 2 / n_steps)  # the schedule of torch divides by zero if the learning rate rises for a single step
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=n_steps, pct_start=rise)
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        for batch in torch.randperm(n_rows, device=target.device).split(batch_size):
            with precision():
                output = model(codes[batch], numbers[batch])
            loss = F.mse_loss(output.float(), target[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        loss.item()  # synchronises with the GPU
        seconds.append(time.perf_counter() - start)
    return seconds


@torch.inference_mode()
def _predict_plainly(model: PlainNet, codes: Tensor, numbers: Tensor) -> np.ndarray:
    model.eval()
    parts = zip(codes.split(8192), numbers.split(8192), strict=True)
    return torch.cat([model(*part) for part in parts]).cpu().numpy()


def _precision(device: torch.device, name: str) -> Callable[[], AbstractContextManager]:
    return nullcontext if name == "float32" else lambda: torch.autocast(device.type, torch.bfloat16)


def _book_regressor(setup: dict, mixed_precision: bool | str) -> TabularRegressor:
    """Return the net of the book, trained with fastai's defaults."""
    return TabularRegressor(
        layers=setup["layers"],
        n_members=None,
        numeric_embedding=None,
        batch_norm=True,
        dropout=0,
        max_embedding_size=None,
        embedding_std=0.01,
        embedding_dropout=0,
        unknown_rate=0,
        batch_size=setup["batch_size"],
        epochs=setup["epochs"],
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        max_grad_norm=None,
        mixed_precision=mixed_precision,
        device=setup["device"],
        random_state=0,
    )


def _read(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "encoded.npz") as table:
        return dict(table)


def _frame(table: dict[str, np.ndarray], rows: slice) -> pd.DataFrame:
    """Return the rows as an encoded frame."""
    columns: dict[str, Any] = {
        str(name): pd.Categorical.from_codes(codes, categories=range(size))
        for name, size, codes in zip(table["categories"], table["sizes"], table["codes"][rows].T, strict=True)
    }
    columns |= {str(name): x for name, x in zip(table["continuous"], table["numbers"][rows].T, strict=True)}
    return pd.DataFrame(columns)


def _note_training(watch: Stopwatch, seconds: Any) -> None:
    """Record the median seconds of an epoch, without the first as warm-up, and the current peak memory."""
    watch.values["epoch"] = statistics.median(list(seconds)[1:])
    watch.values["training_mib"] = Stopwatch().values["imports_mib"]  # a new stopwatch records the current peak
    watch.values["gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0


def _note_rmse(watch: Stopwatch, predicted: np.ndarray, table: dict[str, np.ndarray], n_rows: int) -> None:
    """Record the root mean squared error of the log price on the held-out rows."""
    errors = predicted - table["target"][n_rows:]
    watch.values["rmse"] = float(table["scale"] * np.sqrt((errors**2).mean()))


def _write_columns(folder: Path, name: str, widths: dict[str, Any], continuous: list[str]) -> None:
    """Record the sizes and widths of the category columns, and the continuous columns, for comparison."""
    columns = {"categories": widths, "continuous": continuous}
    (folder / f"columns-{name}.json").write_text(json.dumps(columns))


def _one_row_ms(net: TabularRegressor, sales: pd.DataFrame) -> float:
    """Return the median milliseconds of predicting one raw row, after a warm-up."""
    milliseconds = []
    for i in range(N_WARM_UP + N_ROWS):
        one = sales.iloc[[i % len(sales)]]
        start = time.perf_counter()
        net.predict(one)
        milliseconds.append(1000 * (time.perf_counter() - start))
    return statistics.median(milliseconds[N_WARM_UP:])


if __name__ == "__main__":
    stopwatch = Stopwatch()
    task, where, *arguments = sys.argv[1:]
    tasks: dict[str, Callable[..., None]] = {
        "machine": machine,
        "write": write,
        "encode": encode,
        "tabrec": tabrec,
        "plain": plain,
        "row": row,
    }
    tasks[task](stopwatch, Path(where), json.loads((Path(where) / "setup.json").read_text()), *arguments)
    stopwatch.report("tabrec", "torch", "pandas", "numpy")

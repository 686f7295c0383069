"""The made data of `claims.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

N_ROWS, N_VALID = 1500, 1000


@dataclass(frozen=True)
class Problem:
    """A table whose columns that matter are known."""

    X: pd.DataFrame
    y: np.ndarray
    X_valid: pd.DataFrame
    y_valid: np.ndarray
    true: list[str]
    is_class: bool


def draw_problem(seed: int) -> Problem:
    """Five columns that matter, of several kinds and sizes, among ten of noise; every second target is a class."""
    rng = np.random.default_rng(seed)
    n = N_ROWS + N_VALID
    columns, effects = _draw_true(n, rng)
    noise = {
        **{f"normal {i}": rng.normal(size=n) for i in range(4)},
        "id": rng.permutation(n),
        "many labels": rng.choice([f"v{i}" for i in range(100)], n),
        "few labels": rng.choice(list("pqrst"), n),
        "flag": rng.random(n) < 0.2,
        "gaps": np.where(rng.random(n) < 0.3, np.nan, rng.lognormal(size=n)),
        "counts": rng.poisson(3, n),
    }
    signal = sum(effects)
    is_class = seed % 2 == 1
    y = (1.5 * signal + rng.logistic(size=n) > 0).astype(int) if is_class else signal + rng.normal(size=n)
    frame = pd.DataFrame(columns | noise)
    frame = frame[rng.permutation(frame.columns)]
    first, last = slice(0, N_ROWS), slice(N_ROWS, n)
    return Problem(frame[first], y[first], frame[last].reset_index(drop=True), y[last], list(columns), is_class)


def _draw_true(n: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    labels = rng.integers(0, 8, n)
    columns = {
        "line": rng.normal(size=n),
        "curve": rng.uniform(-1, 1, n),
        "labels": np.array(list("abcdefgh"))[labels],
        "binary": rng.integers(0, 2, n),
        "steps": rng.exponential(size=n),
    }
    shapes = [
        columns["line"],
        np.abs(columns["curve"]),
        rng.normal(size=8)[labels],
        columns["binary"],
        columns["steps"] > 1,
    ]
    sizes = rng.uniform(0.4, 1, len(shapes))
    return columns, [size * (s - np.mean(s)) / np.std(s) for size, s in zip(sizes, shapes, strict=True)]


def draw_columns(n: int, seed: int) -> pd.DataFrame:
    """A mixed frame without any dependence between its columns."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "number": rng.normal(size=n),
            "other": rng.normal(size=n),
            "gaps": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(size=n)),
            "labels": rng.choice(list("abcdef"), n, p=[0.4, 0.3, 0.15, 0.1, 0.04, 0.01]),
            "flag": rng.random(n) < 0.3,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, n), "D"),
        }
    )


def draw_leaks(seed: int, kind: str | None) -> tuple[pd.DataFrame, np.ndarray]:
    """A table with an honest target, and the planted leak of a kind, in the column "leak"."""
    rng = np.random.default_rng(seed)
    n = 1500
    X = draw_columns(n, seed)
    X["shop"] = rng.choice([f"shop {i}" for i in range(150)], n)
    X["key"] = rng.permutation(n)
    y = (X["number"] + X["other"] + (X["labels"] == "a") + rng.normal(0, 0.7, n)).to_numpy()
    order = np.argsort(y)
    if kind == "row order":
        return X.iloc[order].reset_index(drop=True), y[order]
    if kind == "group":
        X["leak"] = rng.integers(0, 200, n)
        return X, y + 1.5 * rng.normal(size=200)[X["leak"]]
    if kind == "difference of two columns":
        X["part"] = rng.normal(0, 2, n)
        X["leak"] = y - X["part"]
        return X, y
    rank = (y + rng.normal(0, 1.5, n)).argsort().argsort()
    planted = {
        "copy of the target": lambda: 3 * y + 1 + rng.normal(0, 0.1, n),
        "function of the target": lambda: np.exp(y / 2),
        "target as text": lambda: np.round(y, 1).astype(str),
        "missing values": lambda: np.where(y > np.quantile(y, 0.7), np.nan, rng.normal(size=n)),
        "id": lambda: 10 * rank + 3,
    }
    return X if kind is None else X.assign(leak=planted[kind]()), y


def draw_target(kind: str, n: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A column x, uniform, a column z, normal, and a target whose spread depends on x, or of which 2% are rare."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"x": rng.uniform(size=n), "z": rng.normal(size=n)})
    noise = rng.normal(size=n)
    if kind == "classes":
        return X, np.where(X["z"] + noise > 2.9, "rare", np.where(X["x"] + 0.5 * noise > 0.8, "frequent", "common"))
    if kind == "heteroscedastic":
        return X, (3 * X["z"] + (0.2 + 3 * X["x"]) * noise).to_numpy()
    values = np.exp(2 * X["x"] + 1 + 0.9 * noise)
    return X, np.where((kind == "zero-inflated") & (rng.random(n) < 0.5), 0, values)

"""Tasks of `forest.py`: ``_worker_forest.py TASK FOLDER ...``, one task per process.

encode ROWS               : generate, encode and store auctions; record the memory of the frame by dtype.
tabrec TREES MAX_SAMPLES  : fit `tabrec.ForestRegressor` to the encoded frame.
sklearn TREES MAX_SAMPLES : fit `sklearn.ensemble.RandomForestRegressor` to the same numbers as float32.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _timing import Stopwatch
from sklearn.ensemble import RandomForestRegressor

from tabrec import ForestRegressor, TabularPreprocessor
from tabrec.datasets import make_auctions


def encode(watch: Stopwatch, folder: Path, n_rows: str) -> None:
    """Encode the auctions and record the bytes of each dtype; float64 and object are always listed."""
    sales = make_auctions(int(n_rows), random_state=0)
    price = sales.pop("SalePrice")
    encoded = TabularPreprocessor().fit_transform(sales)
    n_bytes = encoded.memory_usage(index=False, deep=True).groupby([str(dtype) for dtype in encoded.dtypes]).sum()
    watch.values |= {"float64": 0, "object": 0} | n_bytes.astype(float).to_dict()
    encoded.to_feather(folder / "encoded.feather")
    np.save(folder / "log_price.npy", np.log(price))


def tabrec(watch: Stopwatch, folder: Path, n_trees: str, max_samples: str) -> None:
    """Fit the forest of tabrec without target encoding, so that both forests use the same values."""
    encoded, log_price = _read(folder)
    forest = ForestRegressor(high_cardinality=None, **_parameters(n_trees, max_samples))
    _fit(watch, forest, encoded, log_price)


def sklearn(watch: Stopwatch, folder: Path, n_trees: str, max_samples: str) -> None:
    """Fit the forest of scikit-learn."""
    encoded, log_price = _read(folder)
    X = encoded.to_numpy(np.float32)  # (n_rows, n_columns)
    del encoded
    _fit(watch, RandomForestRegressor(**_parameters(n_trees, max_samples)), X, log_price)


def _parameters(n_trees: str, max_samples: str) -> dict[str, Any]:
    return {
        "n_estimators": int(n_trees),
        "max_samples": int(max_samples),
        "max_features": 0.5,
        "min_samples_leaf": 2,
        "oob_score": True,
        "n_jobs": -1,
        "random_state": 0,
    }


def _read(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    return pd.read_feather(folder / "encoded.feather"), np.load(folder / "log_price.npy")


def _fit(watch: Stopwatch, forest: RandomForestRegressor, X: Any, y: np.ndarray) -> None:
    with watch.stage("fit"):
        forest.fit(X, y)
    watch.values["oob_r2"] = forest.oob_score_


if __name__ == "__main__":
    stopwatch = Stopwatch()
    task, where, *arguments = sys.argv[1:]
    tasks: dict[str, Callable[..., None]] = {"encode": encode, "tabrec": tabrec, "sklearn": sklearn}
    tasks[task](stopwatch, Path(where), *arguments)
    stopwatch.report("tabrec", "scikit-learn", "pandas", "numpy")

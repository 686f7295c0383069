"""Tasks of `forest.py`: ``_worker_forest.py TASK FOLDER ...``, one task per process.

encode TABLE ROWS                       : encode and store a table; record the memory of the frame by dtype.
fit MODEL TREES MAX_SAMPLES LEAF JOBS   : fit a forest without and with out-of-bag predictions; record its memory.
predict TREES MAX_SAMPLES LEAF JOBS     : predict with the same trees by `tabrec` and by scikit-learn.
error MODEL TREES SEED                  : error on the test rows of a forest of `tabrec` or scikit-learn.

Seconds are those of the processor, the median of up to five runs that take no more than five seconds.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _timing import Stopwatch, peak_mib
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import log_loss, root_mean_squared_error
from suite import CLASSIFICATIONS, TABLES

from tabrec import ForestClassifier, ForestRegressor, TabularPreprocessor
from tabrec.datasets import make_auctions

_SECONDS = 5.0
_MOST_RUNS = 5


def encode(watch: Stopwatch, folder: Path, table: str, n_rows: str) -> None:
    """Encode a table and record the bytes of each dtype; float64 and object are always listed."""
    preprocessor = TabularPreprocessor()
    if table == "auctions":
        X = make_auctions(int(n_rows), random_state=0)
        y = np.log(X.pop("SalePrice")).to_numpy()
    else:
        X, y, X_test, y_test = TABLES[table](Path(os.environ["TABREC_DATA_DIR"]))
    encoded = preprocessor.fit_transform(X)
    _keep(folder, "train", encoded, y)
    if table != "auctions":
        _keep(folder, "test", preprocessor.transform(X_test), y_test)
    n_bytes = encoded.memory_usage(index=False, deep=True).groupby([str(dtype) for dtype in encoded.dtypes]).sum()
    watch.values |= {"float64": 0, "object": 0} | n_bytes.astype(float).to_dict()
    watch.values |= {"n_rows": len(encoded), "n_columns": encoded.shape[1]}


def fit(watch: Stopwatch, folder: Path, model: str, *parameters: str) -> None:
    """Fit a forest without and with out-of-bag predictions."""
    X, y, of_classes = _read(folder, "train")
    make: Callable[..., Any] = _MODELS[model]
    if model != "tabrec":
        X = X.to_numpy(np.float32)  # (n_rows, n_columns)
    _repeat(watch, "fit", lambda: make(of_classes, *map(int, parameters), oob_score=False).fit(X, y))
    if model in ("tabrec", "scikit-learn"):
        forest = _repeat(watch, "fit_oob", lambda: make(of_classes, *map(int, parameters), oob_score=True).fit(X, y))
        watch.values["oob_score"] = forest.oob_score_
    watch.values["fit_peak_mib"] = peak_mib()


def predict(watch: Stopwatch, folder: Path, *parameters: str) -> None:
    """Predict the training rows from the encoded frame, and by scikit-learn from the same numbers as float32."""
    X, y, of_classes = _read(folder, "train")
    forest = _tabrec(of_classes, *map(int, parameters), oob_score=False).fit(X, y)
    theirs = _scikit_learn(of_classes, *map(int, parameters), oob_score=False)
    for name in ("estimators_", "n_outputs_", "n_features_in_", *(("classes_", "n_classes_") if of_classes else ())):
        setattr(theirs, name, getattr(forest, name))
    matrix = X.to_numpy(np.float32)
    theirs.n_features_in_ = matrix.shape[1]
    method = "predict_proba" if of_classes else "predict"
    expected = _repeat(watch, "predict_scikit-learn", lambda: getattr(theirs, method)(matrix))
    predicted = _repeat(watch, "predict_tabrec", lambda: getattr(forest, method)(X))
    np.testing.assert_allclose(predicted, expected)


def error(watch: Stopwatch, folder: Path, model: str, n_trees: str, seed: str) -> None:
    """Error on the test rows: RMSE, of classes the log-loss."""
    X, y, of_classes = _read(folder, "train")
    X_test, y_test, _ = _read(folder, "test")
    forest = _MODELS[model](of_classes, int(n_trees), len(X), 2, 1, oob_score=False)
    forest.set_params(random_state=int(seed))
    if model != "tabrec":
        X, X_test = X.to_numpy(np.float32), X_test.to_numpy(np.float32)
    forest.fit(X, y)
    watch.values["error"] = (
        log_loss(y_test, forest.predict_proba(X_test), labels=forest.classes_)
        if of_classes
        else root_mean_squared_error(y_test, forest.predict(X_test))
    )


def _keep(folder: Path, part: str, encoded: pd.DataFrame, y: Any) -> None:
    encoded.reset_index(drop=True).to_feather(folder / f"{part}.feather")
    np.save(folder / f"{part}_y.npy", np.asarray(y))


def _read(folder: Path, part: str) -> tuple[pd.DataFrame, np.ndarray, bool]:
    """The encoded frame, the target, and whether it has classes."""
    y = np.load(folder / f"{part}_y.npy", allow_pickle=True)
    of_classes = folder.name in {table.__name__ for table in CLASSIFICATIONS}
    return pd.read_feather(folder / f"{part}.feather"), y.astype(str) if of_classes else y, of_classes


def _repeat(watch: Stopwatch, name: str, work: Callable[[], Any]) -> Any:
    seconds: list[float] = []
    while len(seconds) < _MOST_RUNS and sum(seconds) < _SECONDS:
        started = time.process_time()
        result = work()
        seconds.append(time.process_time() - started)
    watch.values[name] = statistics.median(seconds)
    return result


def _parameters(n_trees: int, max_samples: int, leaf: int, jobs: int) -> dict[str, Any]:
    return {
        "n_estimators": n_trees,
        "max_samples": max_samples,
        "max_features": 0.5,
        "min_samples_leaf": leaf,
        "n_jobs": jobs,
        "random_state": 0,
    }


def _tabrec(of_classes: bool, *numbers: int, **options: Any) -> Any:
    """Without target encoding, so that all forests use the same values."""
    forest = ForestClassifier if of_classes else ForestRegressor
    return forest(high_cardinality=None, **_parameters(*numbers), **options)


def _scikit_learn(of_classes: bool, *numbers: int, **options: Any) -> Any:
    forest = RandomForestClassifier if of_classes else RandomForestRegressor
    return forest(**_parameters(*numbers), **options)


def _lightgbm(of_classes: bool, n_trees: int, max_samples: int, leaf: int, jobs: int, **_: Any) -> Any:
    """Histograms of 255 bins; as many leaves as rows allow."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    return (LGBMClassifier if of_classes else LGBMRegressor)(
        boosting_type="rf",
        n_estimators=n_trees,
        num_leaves=min(max(2, max_samples // 2), 131_072),
        min_child_samples=leaf,
        min_child_weight=0.0,
        bagging_freq=1,
        bagging_fraction=0.632,
        feature_fraction_bynode=0.5,
        n_jobs=jobs,
        random_state=0,
        verbose=-1,
    )


def _xgboost(of_classes: bool, n_trees: int, max_samples: int, leaf: int, jobs: int, **_: Any) -> Any:
    """Histograms of 256 bins; trees as deep as the weight of a leaf allows."""
    from xgboost import XGBRFClassifier, XGBRFRegressor

    return _OnClassCodes(XGBRFClassifier if of_classes else XGBRFRegressor, of_classes)(
        n_estimators=n_trees,
        max_depth=0,
        grow_policy="lossguide",
        max_leaves=0,
        tree_method="hist",
        min_child_weight=0 if of_classes else leaf,
        reg_lambda=0,
        subsample=0.632,
        colsample_bynode=0.5,
        n_jobs=jobs,
        random_state=0,
    )


class _OnClassCodes:
    """XGBoost needs classes that are numbered."""

    def __init__(self, make: Any, of_classes: bool):
        self.make, self.of_classes = make, of_classes

    def __call__(self, **parameters: Any) -> Any:
        self.model = self.make(**parameters)
        return self

    def fit(self, X: np.ndarray, y: np.ndarray) -> Any:
        return self.model.fit(X, np.unique(y, return_inverse=True)[1] if self.of_classes else y)


_MODELS: dict[str, Callable[..., Any]] = {
    "tabrec": _tabrec,
    "scikit-learn": _scikit_learn,
    "LightGBM": _lightgbm,
    "XGBoost": _xgboost,
}


if __name__ == "__main__":
    stopwatch = Stopwatch()
    task, where, *arguments = sys.argv[1:]
    tasks: dict[str, Callable[..., None]] = {"encode": encode, "fit": fit, "predict": predict, "error": error}
    tasks[task](stopwatch, Path(where), *arguments)
    stopwatch.report("tabrec", "scikit-learn", "pandas", "numpy")

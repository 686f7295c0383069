"""One model fitted again and again on rows in time order, and how its score changes from fit to fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from tabrec.interpret._comparison import CLEAR, gain_of, paired_error
from tabrec.interpret._models import make_model, predictor
from tabrec.interpret._scores import Metric, read_metric
from tabrec.preprocess.time_split import TimeSplit, get_column, read_times
from tabrec.tables.columns import read_frame, to_columns
from tabrec.tables.target import check_target

# Two ways to the same predictions differ by so much of the score.
_ROUNDING = 1e-9

Folds = Sequence[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Trials:
    """A model, its data and times, and the metric that compares its fits.

    Attributes
    ----------
    model_factory : estimator or callable
    frame : pandas.DataFrame
    y : ndarray of shape (n_rows,)
    times : pandas.Index
        One moment a row.
    metric : Metric
    random_state : int
        For models that have none.
    """

    model_factory: Any
    frame: pd.DataFrame
    y: np.ndarray
    times: pd.Index
    metric: Metric
    random_state: int

    @classmethod
    def read(cls, model_factory: Any, X: Any, y: Any, time: Any, metric: str | None, random_state: int) -> Self:
        """Checked before anything is fitted."""
        model = make_model(model_factory)
        frame = read_frame(X)
        target = check_target(y, len(frame), type(model).__name__, numeric=not is_classifier(model))
        times = _read_times(time, frame)
        return cls(model_factory, frame, target, times, read_metric(model, metric), random_state)

    def folds(self, n_splits: int, test_size: Any) -> Folds:
        return list(TimeSplit(n_splits, test_size=test_size).split(self.frame, groups=self.times))

    def gains(self, folds: Folds, without: Iterable[str] = ()) -> np.ndarray:
        """One gain a validation row, fold after fold."""
        dropped = set(without)
        frame = self.frame[[name for name in self.frame.columns if str(name) not in dropped]]
        return np.concatenate([self._fold_gains(frame, train, valid) for train, valid in folds])

    def compare(self, gains: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
        """The score, its change against a reference on the same rows, the standard error of that, and a verdict."""
        score, before = self.metric.score(gains), self.metric.score(reference)
        std_error = paired_error(self.metric, reference, gains)
        gain = gain_of(self.metric, before, score)
        least = CLEAR * std_error + _ROUNDING * abs(before)
        verdict = "better" if gain > least else "worse" if gain < -least else "no harm"
        return {"score": score, "change": score - before, "std_error": std_error, "verdict": verdict}

    def _fold_gains(self, frame: pd.DataFrame, train: np.ndarray, valid: np.ndarray) -> np.ndarray:
        model = _seed(make_model(self.model_factory), self.random_state)
        model.fit(frame.iloc[train], self.y[train])
        predicted = predictor(model)(frame.iloc[valid])
        return self.metric.gains(self.y[valid], predicted, getattr(model, "classes_", None))


def _read_times(time: Any, frame: pd.DataFrame) -> pd.Index:
    if isinstance(time, str):
        return read_times(get_column(frame, time))
    series = time.to_pandas() if hasattr(time, "to_pandas") else pd.Series(time)
    if len(series) != len(frame):
        raise ValueError(f"time has {len(series)} moments, but X has {len(frame)} rows: give one each.")
    return read_times(to_columns(series.to_frame("time"))["time"])


def _seed(model: Any, random_state: int) -> Any:
    """The same draws for every fit, unless the caller has settled them."""
    open_seeds = {
        name: random_state
        for name, value in model.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    }
    return model.set_params(**open_seeds)

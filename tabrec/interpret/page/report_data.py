"""`ReportData`: a fitted model, its training rows, held-out rows and newest rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor

from tabrec.interpret._column_groups import read_groups
from tabrec.interpret._weights import weight_of_rows
from tabrec.interpret.models import list_members, predictor
from tabrec.interpret.quality.segments import ErrorSegments, error_segments
from tabrec.interpret.reliance.importance import FeatureImportance, feature_importance
from tabrec.interpret.reliance.redundant_columns import Redundancy, redundancy
from tabrec.tables.columns import read_frame
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.rows import sample_rows
from tabrec.tables.target import check_target
from tabrec.trees.fitted_trees import FittedTrees, is_forest, read_trees
from tabrec.trees.training_rows import check_fitted_rows

MANY_ROWS = 20_000  # enough for an average
SOME_ROWS = 2_000  # enough for a plot
FEW_ROWS = 1_000  # fewer held-out rows give large standard errors of importance
MOST_REFITTED = 2_000  # largest number of training rows on which a model is refitted
LEAST_SEGMENTED = 200  # smallest number of held-out rows, of which half choose the segments
_MOST_NAMED = 10  # largest number of columns in an error
_N_REPEATS = 2  # permutations of a column; more hardly reduce the standard error, but each predicts all rows

# scikit-learn's warning when a model fitted to an array is given a frame, as it is here.
FRAME_FOR_ARRAY = "X has feature names, but"


@dataclass(frozen=True)
class ReportData:
    """A fitted model with its tables, as `read_frame` returns them."""

    model: Any
    X: pd.DataFrame  # the training rows
    y: np.ndarray
    X_valid: pd.DataFrame | None  # held-out rows
    y_valid: np.ndarray | None
    X_new: pd.DataFrame | None  # the newest rows, with or without a known target
    target: str  # name of the target
    random_state: int
    weights: np.ndarray | None = None  # weights of the training rows
    weights_valid: np.ndarray | None = None  # weights of the held-out rows

    @property
    def is_classifier(self) -> bool:
        return is_classifier(self.model)

    @cached_property
    def trees(self) -> FittedTrees | None:
        """The trees of a forest or a single tree; None for other models."""
        return read_trees(self.model, "report") if is_forest(self.model) else None

    @property
    def has_oob(self) -> bool:
        """Whether the model has out-of-bag rows."""
        return self.trees is not None and self.trees.draws_rows

    @property
    def keeps_oob(self) -> bool:
        """Whether the model has kept its out-of-bag predictions."""
        return self.trees is not None and self.has_oob and self.trees.keeps_out_of_bag

    @property
    def newest(self) -> pd.DataFrame | None:
        return self.X_valid if self.X_new is None else self.X_new

    @cached_property
    def judged(self) -> tuple[pd.DataFrame, np.ndarray]:
        """The rows whose predictions are evaluated: the held-out rows, or else the training rows."""
        return (self.X, self.y) if self.X_valid is None or self.y_valid is None else (self.X_valid, self.y_valid)

    @property
    def judged_weights(self) -> np.ndarray | None:
        """The weights of the evaluated rows."""
        return self.weights if self.X_valid is None else self.weights_valid

    @cached_property
    def predicted(self) -> np.ndarray:
        """Predictions of the evaluated rows, as `predictor` returns them."""
        return predictor(self.model)(self.judged[0])

    @cached_property
    def baseline(self) -> np.ndarray:
        """Predictions of the evaluated rows by the mean, or the class shares, of the training rows."""
        dummy = DummyClassifier(strategy="prior") if self.is_classifier else DummyRegressor()
        dummy.fit(np.zeros((len(self.y), 1)), self.y, self.weights)
        return predictor(dummy)(np.zeros((len(self.judged[1]), 1)))

    @cached_property
    def redundancy(self) -> Redundancy:
        """The columns that carry nearly the same information."""
        return redundancy(self.X, max_rows=MANY_ROWS, random_state=self.random_state)

    @cached_property
    def importance(self) -> FeatureImportance:
        """Importance of the columns, and of redundant ones together.

        It is measured on out-of-bag rows for a forest with bootstrap, otherwise on the evaluated rows, or by
        cross-validation on the training rows if there are few held-out rows.
        """
        n_repeats = 1 if len(self.X) >= MANY_ROWS else _N_REPEATS
        options: dict[str, Any] = {"method": "oob", "max_rows": MANY_ROWS, "n_repeats": n_repeats}
        X, y, weights = self.X, self.y, self.weights
        if not self.has_oob:
            by_cv = self._has_few_rows and len(X) > len(self.judged[0])
            options = {"method": "cv" if by_cv else "permutation", "max_rows": SOME_ROWS, "n_repeats": _N_REPEATS}
            X, y, weights = (X, y, weights) if by_cv else (*self.judged, self.judged_weights)
        options |= {"groups": self._groups, "random_state": self.random_state}
        return feature_importance(self.model, X, y, sample_weight=weights, **options)

    @cached_property
    def segments(self) -> ErrorSegments:
        """The segments of the evaluated rows with the largest errors."""
        options: dict[str, Any] = {"random_state": self.random_state, "sample_weight": self.judged_weights}
        return error_segments(self.model, *self.judged, **options)

    @property
    def has_segments(self) -> bool:
        """Whether there are enough held-out rows to choose segments on half of them."""
        return self.X_valid is not None and len(self.X_valid) >= LEAST_SEGMENTED

    @property
    def _has_few_rows(self) -> bool:
        """Whether there are few held-out rows, and few enough training rows to refit the model quickly."""
        is_net = any(hasattr(each, "history_") for each in (self.model, *list_members(self.model)))
        return self.X_valid is not None and len(self.X_valid) < FEW_ROWS and len(self.X) <= MOST_REFITTED and not is_net

    @property
    def _groups(self) -> dict[str, list[str]]:
        """Groups of redundant raw columns and, for a forest, of the encoded columns of each raw one."""
        found = self.redundancy
        names = [each.columns for each in found.findings if each.kind in ("redundant columns", "relabelled column")]
        sources = [list(dict.fromkeys(found.sources[name] for name in columns)) for columns in names]
        groups = {" + ".join(members): members for members in sources if len(members) > 1}
        if self.trees is None or not self.has_oob:
            return groups
        return read_groups("source", self.trees.names, self.trees.sources) | groups

    @property
    def n_rows_of_importance(self) -> int:
        """Number of rows that the importance was measured on."""
        measured = {"oob": (self.X, MANY_ROWS), "cv": (self.X, SOME_ROWS), "permutation": (self.judged[0], SOME_ROWS)}
        rows, most = measured[self.importance.method]
        return min(len(rows), most)

    def top_columns(self, n: int) -> list[str]:
        """Return the `n` most important encoded columns, leaving out those without importance."""
        table = self.importance.table
        return table[~table["is_group"] & (table["importance"] > 0)]["column"].head(n).tolist()

    def sample(self, n_rows: int, max_rows: int) -> np.ndarray:
        """Return sorted positions of at most `max_rows` of `n_rows` rows."""
        return sample_rows(n_rows, max_rows, np.random.default_rng(self.random_state))

    def errors(self) -> np.ndarray:
        """Return predicted minus actual values; for classes, the probability of the true class minus 1."""
        y = self.judged[1]
        if not self.is_classifier:
            return self.predicted[:, 0] - np.asarray(y, dtype=np.float64).reshape(len(y), -1)[:, 0]
        hit = np.asarray(self.model.classes_)[None, :] == np.asarray(y)[:, None]
        return np.where(hit, self.predicted, 0).sum(axis=1) - 1


def read_report_data(
    model: Any,
    X: Any,
    y: Any,
    X_valid: Any,
    y_valid: Any,
    X_new: Any,
    target: str | None,
    random_state: int,
    sample_weight: Any = None,
    sample_weight_valid: Any = None,
) -> ReportData:
    """Check that model, tables and targets fit together, before any work."""
    if not (is_classifier(model) or is_regressor(model)):
        raise TypeError(f"report needs a regressor, a classifier or a recommender, not {type(model).__name__}.")
    if X is None or y is None:
        raise ValueError(f"report needs the rows that the {type(model).__name__} was fitted on: pass X and y.")
    if (X_valid is None) != (y_valid is None):
        raise ValueError("X_valid and y_valid belong together: pass both or neither (X_new needs no target).")
    if sample_weight_valid is not None and X_valid is None:
        raise ValueError("sample_weight_valid weights the held-out rows: pass X_valid and y_valid too.")
    check_row_labels(X, y=y)
    check_row_labels(X_valid, y_valid=y_valid)
    name = target if target is not None else getattr(y, "name", None)
    frame = read_frame(X)
    valid = None if X_valid is None else read_frame(X_valid)
    data = ReportData(
        model,
        frame,
        _read_target("y", model, frame, y),
        valid,
        None if valid is None else _read_target("y_valid", model, valid, y_valid),
        None if X_new is None else read_frame(X_new),
        "target" if name is None else str(name),
        random_state,
        weight_of_rows(X, sample_weight),
        None if X_valid is None else weight_of_rows(X_valid, sample_weight_valid),
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", FRAME_FOR_ARRAY)
        for given in (data.X, data.X_valid, data.X_new):
            if given is not None:
                predictor(model)(_find_first(given))  # raises an error that names missing columns
        _check_predictions(data)
    if data.trees is not None and data.has_oob:
        check_fitted_rows(data.trees, data.X, "report")
        if not data.trees.has_target(data.y):
            raise ValueError("y is not the target that the forest was fitted on: pass X and y as passed to fit.")
    return data


def _find_first(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the first row without missing values, which some models reject, or the first row if all have some."""
    complete = frame.notna().all(axis=1).to_numpy()
    return frame.iloc[[int(complete.argmax())]]


def _check_predictions(data: ReportData) -> None:
    """Predict the judged rows; an error of the model names their table and columns with missing values."""
    try:
        assert data.predicted is not None
    except ValueError as error:
        name, (frame, _) = "X" if data.X_valid is None else "X_valid", data.judged
        gaps = [f"{column!r} ({n:,} rows)" for column, n in frame.isna().sum().items() if n > 0]
        told = f" Columns of {name} with missing values: {', '.join(gaps[:_MOST_NAMED])}." if gaps else ""
        raise ValueError(f"The model cannot predict the rows of {name}: {error}{told}") from error


def _read_target(name: str, model: Any, frame: pd.DataFrame, values: Any) -> np.ndarray:
    if len(values) != len(frame):
        raise ValueError(f"{name} has {len(values)} values, but its table has {len(frame)} rows.")
    target = check_target(values, len(frame), "report", numeric=not is_classifier(model))
    if target.ndim > 1 and target.shape[1] > 1:
        raise ValueError(f"{name} has {target.shape[1]} columns, but a report covers one target.")
    return target.ravel()

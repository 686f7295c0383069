"""Access any fitted model: predictions as arrays, columns, labels and origins of encoded columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from tabrec.preprocess import DateParts
from tabrec.preprocess.lineage import Origin, input_names, trace_columns
from tabrec.preprocess.text_columns import read_numbers
from tabrec.tables.columns import read_frame, to_columns
from tabrec.tables.copies import clone_for_refit
from tabrec.tables.text_numbers import NumberFormat
from tabrec.trees.fitted_trees import coded_labels


def fitted_columns(model: Any, X: Any) -> list[str]:
    """Return the columns that a model was fitted on, or those of X for a model that does not record names."""
    return [str(name) for name in getattr(model, "feature_names_in_", read_frame(X).columns)]


def find_origins(model: Any) -> dict[str, Origin | None]:
    """Return the origins of the encoded columns of a model, or of an ensemble's first member; empty if unknown."""
    members = getattr(model, "estimators_", None)
    if not hasattr(model, "origins") and isinstance(members, list) and members and hasattr(members[0], "origins"):
        model = members[0]
    return trace_columns(model, input_names(model)) if hasattr(model, "n_features_in_") else {}


def classes_of(model: Any) -> Any:
    """Return the classes of a classifier in order; None for a regressor."""
    return model.classes_ if is_classifier(model) else None


def find_labels(model: Any) -> dict[str, list]:
    """Return the labels by code of the raw columns that a model encodes as categories; code 0 is missing or unseen."""
    origins = [origin for origin in find_origins(model).values() if origin is not None]
    return {origin.column: coded_labels(origin) for origin in origins if coded_labels(origin)}


def find_date_formats(model: Any) -> dict[str, tuple[str | None, str | None]]:
    """Return the format and the time zone of each raw date column that a model splits into parts."""
    steps = [step for step in fitted_steps(model) if isinstance(step, DateParts)]
    return {name: (found, step.time_zones_[name]) for step in steps for name, found in step.formats_.items()}


def with_numbers(model: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Convert text that the model reads as numbers to numbers."""
    formats = {name: found for step in fitted_steps(model) for name, found in _number_formats(step).items()}
    if not formats:
        return frame
    columns = to_columns(frame)
    read = read_numbers(columns, formats, set())
    return frame.assign(**{name: read[name].raw for name in formats if name in columns and columns[name].is_label})


def _number_formats(step: Any) -> dict[str, NumberFormat]:
    return getattr(step, "number_formats_", {})


def list_members(model: Any) -> list[Any]:
    """Return the fitted members of an ensemble, or the steps of a pipeline; empty for other models."""
    if isinstance(model, Pipeline):
        return [step for _, step in model.steps]
    members = getattr(model, "estimators_", [])
    return members if isinstance(members, list) else []


def fitted_steps(model: Any) -> list[Any]:
    """List the fitted transformers of a model, within pipelines, preprocessors and an ensemble's first member."""
    if isinstance(model, Pipeline):
        return [found for _, step in model.steps for found in fitted_steps(step)]
    if hasattr(model, "preprocessor_"):
        return fitted_steps(model.preprocessor_)
    members = getattr(model, "estimators_", None)
    if isinstance(members, list) and members and hasattr(members[0], "preprocessor_"):
        return fitted_steps(members[0])
    if hasattr(model, "date_parts_"):
        return [model.date_parts_, model]
    return [model]


def make_model(model_factory: Any) -> Any:
    """Return a new unfitted estimator, made by a function or cloned from an estimator.

    A clone of fitted boosting grows the same number of trees, instead of choosing it again.
    """
    if hasattr(model_factory, "fit"):
        return clone_for_refit(model_factory)
    if not callable(model_factory):
        raise TypeError(
            f"model_factory={model_factory!r} must be an estimator, which is cloned, or a function that returns one."
        )
    return model_factory()


def predictor(model: Any) -> Callable[[Any], np.ndarray]:
    """Return a function from X to predictions, (n_rows, n_outputs), or probabilities, (n_rows, n_classes)."""
    check_is_fitted(model)
    if is_classifier(model):
        if not hasattr(model, "predict_proba"):
            raise TypeError(f"{type(model).__name__} gives no probabilities: it lacks predict_proba.")
        return lambda X: _check_finite(model, np.asarray(model.predict_proba(X), dtype=np.float64))
    if not hasattr(model, "predict"):
        raise TypeError(f"{type(model).__name__} predicts nothing: it lacks predict.")
    return lambda X: _check_finite(
        model, np.asarray(model.predict(X), dtype=np.float64).reshape(len(read_frame(X)), -1)
    )


def _check_finite(model: Any, predicted: np.ndarray) -> np.ndarray:
    odd = ~np.isfinite(predicted).all(axis=1)
    if odd.any():
        first = int(odd.argmax())
        value = predicted[first][~np.isfinite(predicted[first])][0]
        rows = f"{odd.sum():,} of {len(odd):,} rows, first at position {first}"
        raise ValueError(f"{type(model).__name__} predicts {value} for {rows}: predictions must be finite.")
    return predicted

"""A model and its rows, ready to be asked what it would predict if a column held something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from tabrec.interpret._models import Trees, _encoders, find_labels, is_forest, predictor, read_trees
from tabrec.interpret.drawings._tree_words import Words
from tabrec.interpret.effects._grids import VariedColumn
from tabrec.preprocess import Categorify, DateParts, FillMissing, Normalize, TabularPreprocessor
from tabrec.tables.columns import is_table, read_frame, to_columns
from tabrec.trees.forest_base import ForestMixin
from tabrec.trees.target_encoding import to_matrix

# Transformers whose result for a row depends on that row alone, column by column.
_BY_COLUMN = (Categorify, DateParts, FillMissing, Normalize, TabularPreprocessor)


@dataclass(frozen=True)
class Rows:
    """Rows of a table, the columns to vary in them, and how the model reads them.

    Attributes
    ----------
    frame : pandas.DataFrame
        The raw columns, or the encoded ones where those are asked for.
    columns : list of VariedColumn
    outputs : list
        The classes that are looked at, or names of the outputs of a regressor.
    predict : callable
        From a frame like `frame` to predictions, (n_rows, len(outputs)).
    trees : Trees or None
        Of a forest whose trees can be walked.
    is_encoded : bool
        Whether the frame holds the encoded columns.
    kept : ndarray of int
        Positions of `outputs` among all that the model has.
    as_given : callable
        From a frame to the kind of table the caller has.
    unit : str
        What is predicted, for axes.
    """

    frame: pd.DataFrame
    columns: list[VariedColumn]
    outputs: list
    predict: Callable[[pd.DataFrame], np.ndarray]
    trees: Trees | None
    is_encoded: bool
    kept: np.ndarray
    as_given: Callable[[pd.DataFrame], Any]
    unit: str

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """What the trees see."""
        assert self.trees is not None
        return to_matrix(frame) if self.is_encoded else self.trees.matrix(self.as_given(frame))

    @property
    def varied(self) -> np.ndarray:
        """Positions of the encoded columns that vary with the columns; empty where the trees see none."""
        assert self.trees is not None
        names = [column.name for column in self.columns]
        sources = {name: name for name in self.trees.names} if self.is_encoded else self.trees.sources
        return np.asarray([at for at, name in enumerate(self.trees.names) if sources[name] in names], dtype=np.intp)

    def replaced(self, frame: pd.DataFrame, values: Sequence[Any]) -> pd.DataFrame:
        """The frame with other values in the columns."""
        arrays = {column.name: array for column, array in zip(self.columns, values, strict=True)}
        return frame.assign(**arrays)


def read_rows(
    model: Any, X: Any, features: Any, function: str, output: Any, max_rows: int | None, random_state: int
) -> Rows:
    """Check what is asked, and make it ready.

    Raises
    ------
    ValueError
        A column that the model does not know, more than two columns, or an unknown class or output.
    """
    predict = predictor(model)
    frame = read_named(model, X)
    names = _read_features(features, function)
    trees = read_trees(model, function) if is_forest(model) else None
    is_encoded = _is_encoded(model, frame, names, trees)
    frame = frame[[name for name in getattr(model, "feature_names_in_", frame.columns) if name in frame.columns]]
    frame = _sample(frame, max_rows, random_state)
    stays_table = is_table(X) or hasattr(model, "feature_names_in_")

    def as_given(frame: pd.DataFrame) -> Any:
        return frame if stays_table else frame.to_numpy()

    if is_encoded:
        assert trees is not None
        frame = trees.encode(as_given(frame))
        columns = [_encoded_column(frame, name, trees) for name in names]
    else:
        columns = [_raw_column(frame, name, model) for name in names]

    def predict_all(frame: pd.DataFrame) -> np.ndarray:
        if not is_encoded:
            return predict(as_given(frame))
        assert trees is not None
        return _predict_matrix(trees, to_matrix(frame))

    outputs, kept = _read_output(model, predict_all, frame, output)
    return Rows(
        frame,
        columns,
        outputs,
        lambda frame: predict_all(frame)[:, kept],
        trees if is_encoded or _encodes_by_column(trees) else None,
        is_encoded,
        kept,
        as_given,
        "predicted probability" if is_classifier(model) else "prediction",
    )


def read_named(model: Any, X: Any) -> pd.DataFrame:
    """X as a frame, its columns named as the model names them."""
    frame = read_frame(X)
    names = getattr(model, "feature_names_in_", None)
    if is_table(X) or names is None or len(names) != frame.shape[1]:
        return frame
    return frame.set_axis([str(name) for name in names], axis=1)


def _read_features(features: Any, function: str) -> list:
    names = [features] if isinstance(features, (str, int, np.integer)) else list(features)
    if len(names) not in (1, 2) or len(set(names)) < len(names):
        raise ValueError(
            f"features={features!r} must be the name of a column, or a pair of different ones: {function}."
        )
    return names


def _is_encoded(model: Any, frame: pd.DataFrame, names: list, trees: Trees | None) -> bool:
    """Whether the names are those of encoded columns rather than of the model's own (integers are made names)."""
    names[:] = [frame.columns[n] if _is_position(n, frame) else str(n) for n in names]
    known = [str(name) for name in getattr(model, "feature_names_in_", frame.columns)]
    if all(name in known for name in names):
        absent = [name for name in names if name not in frame.columns]
        if absent:
            raise ValueError(
                f"X lacks column(s) {absent} that the model was fitted on; it has {list(frame.columns)[:20]}."
            )
        return False
    if trees is not None and all(name in trees.names for name in names):
        return True
    unknown = [name for name in names if name not in known and (trees is None or name not in trees.names)]
    encoded = (
        "" if trees is None or trees.names == known else f" or, all of them, of its encoded columns {trees.names[:40]}"
    )
    raise ValueError(
        f"features names {unknown or names}: give columns that the model was fitted on, {known[:40]}{encoded}."
    )


def _is_position(name: Any, frame: pd.DataFrame) -> bool:
    return bool(isinstance(name, (int, np.integer)) and str(name) not in frame.columns and 0 <= name < frame.shape[1])


def _sample(frame: pd.DataFrame, max_rows: int | None, random_state: int) -> pd.DataFrame:
    if max_rows is not None and not (isinstance(max_rows, (int, np.integer)) and max_rows >= 1):
        raise ValueError(f"max_rows={max_rows!r} must be an integer of at least 1, or None for all rows.")
    if max_rows is None or len(frame) <= max_rows:
        return frame
    return frame.iloc[np.sort(np.random.default_rng(random_state).choice(len(frame), max_rows, replace=False))]


def _raw_column(frame: pd.DataFrame, name: str, model: Any) -> VariedColumn:
    raw = to_columns(frame[[name]])[name].raw
    date = None
    for step in _encoders(model):
        if name in getattr(step, "formats_", {}):
            date = (step.formats_[name], step.time_zones_[name])
    labels = find_labels(model).get(name)
    return VariedColumn(name, raw, labels=labels if date is None else None, date=date)


def _encoded_column(frame: pd.DataFrame, name: str, trees: Trees) -> VariedColumn:
    raw = to_columns(frame[[name]])[name].raw
    names = trees.labels.get(name) if isinstance(raw.dtype, pd.CategoricalDtype) else None
    is_elapsed, zone = Words(trees).elapsed_zone(name)
    return VariedColumn(name, raw, names=names, date=(None, zone) if is_elapsed else None, is_elapsed=is_elapsed)


def _predict_matrix(trees: Trees, matrix: np.ndarray) -> np.ndarray:
    total: Any = 0.0
    for tree in trees.trees:
        total = total + trees.values(tree)[tree.apply(matrix)]
    return flatten_outputs(trees, total / len(trees.trees))


def flatten_outputs(trees: Trees, values: np.ndarray) -> np.ndarray:
    """Values of nodes, (..., n_outputs, n_values), as `predictor` gives them: (..., n_outputs) or (..., n_classes)."""
    return values[..., 0, :] if trees.is_classifier else values[..., 0]


def _encodes_by_column(trees: Trees | None) -> bool:
    """Whether nothing before the trees mixes columns or rows."""
    if trees is None:
        return False
    steps = [] if trees.steps is None else [step for _, step in trees.steps.steps]
    if isinstance(trees.estimator, ForestMixin):
        steps.append(trees.estimator.preprocessor_)
    return all(isinstance(step, _BY_COLUMN) for step in steps)


def _read_output(
    model: Any, predict: Callable[[pd.DataFrame], np.ndarray], frame: pd.DataFrame, output: Any
) -> tuple[list, np.ndarray]:
    """The outputs to look at, and their positions among all."""
    if is_classifier(model):
        if getattr(model, "n_outputs_", 1) > 1 or isinstance(model.classes_, list):
            raise ValueError("The classifier was fitted on several outputs: fit one for each.")
        outputs = np.asarray(model.classes_).tolist()
        default = [1] if len(outputs) == 2 else list(range(len(outputs)))
    else:
        n_outputs = predict(frame.iloc[:1]).shape[1]
        outputs = ["prediction"] if n_outputs == 1 else [f"output {i}" for i in range(n_outputs)]
        default = list(range(n_outputs))
    if output is None:
        kept = default
    elif output in outputs:
        kept = [outputs.index(output)]
    else:
        what = "classes" if is_classifier(model) else "outputs"
        raise ValueError(f"output={output!r} must be one of the model's {what}, {outputs[:40]}.")
    return [outputs[at] for at in kept], np.asarray(kept)

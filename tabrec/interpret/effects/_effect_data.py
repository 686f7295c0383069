"""`EffectData`: a model, rows and the columns to vary in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from tabrec.interpret._weights import weigh_rows
from tabrec.interpret.drawings._tree_text import TreeText
from tabrec.interpret.effects._grids import Grid, VariedColumn, count_cells, make_table
from tabrec.interpret.models import find_date_formats, find_labels, fitted_columns, predictor, with_numbers
from tabrec.plotting.axes import shorten
from tabrec.preprocess import Categorify, DateParts, FillMissing, Normalize, TabularPreprocessor
from tabrec.tables.columns import is_table, read_frame, to_columns
from tabrec.tables.names import as_named, is_position
from tabrec.tables.rows import sample_rows
from tabrec.trees.fitted_trees import FittedTrees, is_forest, read_trees

# Transformers that encode each value independently of other columns and rows.
_BY_COLUMN = (Categorify, DateParts, FillMissing, Normalize, TabularPreprocessor)


@dataclass(frozen=True)
class EffectData:
    """Rows of a table, the columns to vary in them, and the model's predictions."""

    frame: pd.DataFrame  # the raw columns, or the encoded columns if those are varied
    columns: list[VariedColumn]
    outputs: list  # the selected classes, or names of the outputs of a regressor
    predict: Callable[[pd.DataFrame], np.ndarray]  # maps a frame like `frame` to predictions, (n_rows, len(outputs))
    trees: FittedTrees | None  # trees of a forest, if they can be traversed
    is_encoded: bool  # whether the frame holds the encoded columns
    kept: np.ndarray  # positions of `outputs` among all outputs of the model
    as_given: Callable[[pd.DataFrame], Any]  # converts a frame to the kind of table that the model takes
    unit: str  # axis label of the prediction
    weights: np.ndarray | None  # weights of the rows of the frame; None if they are equal

    def describe(self, grids: list[Grid], effect: np.ndarray) -> dict[str, Any]:
        """Return the fields that all results share; `effect` has shape (n_outputs, *grid shape)."""
        counts = count_cells(grids)
        return {
            "features": tuple(grid.name for grid in grids),
            "grids": [grid.values for grid in grids],
            "counts": counts,
            "outputs": self.outputs,
            "table": make_table(grids, effect, self.outputs, counts),
            "_grids": tuple(grids),
            "_unit": self.unit,
        }

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the matrix that the trees see."""
        assert self.trees is not None
        return self.trees.to_matrix(frame) if self.is_encoded else self.trees.matrix(self.as_given(frame))

    @property
    def varied(self) -> np.ndarray:
        """The positions of the encoded columns that come from the varied columns."""
        assert self.trees is not None
        names = [column.name for column in self.columns]
        sources = {name: name for name in self.trees.names} if self.is_encoded else self.trees.sources
        return np.asarray([at for at, name in enumerate(self.trees.names) if sources[name] in names], dtype=np.intp)

    def replaced(self, frame: pd.DataFrame, values: Sequence[Any]) -> pd.DataFrame:
        """Return the frame with the given values in the varied columns."""
        arrays = {column.name: array for column, array in zip(self.columns, values, strict=True)}
        return frame.assign(**arrays)


def read_effect_data(
    model: Any,
    X: Any,
    features: Any,
    function: str,
    output: Any,
    max_rows: int | None,
    random_state: int,
    sample_weight: Any = None,
) -> EffectData:
    """Check the arguments of an effect, and sample the rows."""
    predict = predictor(model)
    frame = with_numbers(model, read_frame(as_named(model, X)))
    names = _read_features(features, function, frame)
    trees = read_trees(model, function) if is_forest(model) else None
    fitted = fitted_columns(model, frame)
    is_encoded = _is_encoded(names, frame, fitted, trees)
    frame = frame[[name for name in fitted if name in frame.columns]]
    rows, weights = weigh_rows(X, sample_weight)
    sampled = sample_rows(len(rows), max_rows, np.random.default_rng(random_state))
    frame, weights = frame.iloc[rows[sampled]], None if weights is None else weights[sampled]
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
        matrix = trees.to_matrix(frame)
        total: Any = sum(trees.predict_tree(tree, matrix) for tree in trees.trees)
        return total / len(trees.trees)

    outputs, kept = _read_output(model, predict_all, frame, output)
    return EffectData(
        frame,
        columns,
        outputs,
        lambda frame: predict_all(frame)[:, kept],
        trees if is_encoded or _encodes_by_column(trees) else None,
        is_encoded,
        kept,
        as_given,
        _describe_unit(model, outputs),
        weights,
    )


def _describe_unit(model: Any, outputs: list) -> str:
    """Return the axis label of the prediction; several outputs are named in the legend."""
    if not is_classifier(model):
        return "prediction"
    return f"predicted probability of {shorten(outputs[0])}" if len(outputs) == 1 else "predicted probability"


def _read_features(features: Any, function: str, frame: pd.DataFrame) -> list[str]:
    """Read the names of one or two columns; integers that are not names are positions."""
    given = [features] if isinstance(features, (str, int, np.integer)) else list(features)
    if len(given) not in (1, 2) or len(set(given)) < len(given):
        raise ValueError(f"{function}: features={features!r} must be the name of a column, or a pair of two names.")
    columns = [str(name) for name in frame.columns]
    return [columns[int(name)] if is_position(name, columns) else str(name) for name in given]


def _is_encoded(names: list[str], frame: pd.DataFrame, fitted: list[str], trees: FittedTrees | None) -> bool:
    """Return whether the names are those of encoded columns instead of input columns."""
    absent = [name for name in names if name not in frame.columns]
    if all(name in fitted for name in names):
        if absent:
            raise ValueError(
                f"X lacks columns {absent} that the model was fitted on; it has {list(frame.columns)[:20]}."
            )
        return False
    encoded = [] if trees is None else trees.names
    if all(name in encoded for name in names):
        return True
    unknown = [name for name in names if name not in fitted and name not in encoded] or names
    more = f" or, for all of them, encoded columns {encoded[:40]}" if encoded and encoded != fitted else ""
    raise ValueError(f"features names {unknown}: pass columns that the model was fitted on, {fitted[:40]}{more}.")


def _raw_column(frame: pd.DataFrame, name: str, model: Any) -> VariedColumn:
    raw = to_columns(frame[[name]])[name].raw
    if date := find_date_formats(model).get(name):
        return VariedColumn(name, raw, date=date)
    return VariedColumn(name, raw, labels=find_labels(model).get(name))


def _encoded_column(frame: pd.DataFrame, name: str, trees: FittedTrees) -> VariedColumn:
    raw = to_columns(frame[[name]])[name].raw
    names = trees.labels.get(name) if isinstance(raw.dtype, pd.CategoricalDtype) else None
    is_elapsed, zone = TreeText(trees).elapsed_zone(name)
    return VariedColumn(name, raw, names=names, date=(None, zone) if is_elapsed else None, is_elapsed=is_elapsed)


def flatten_outputs(trees: FittedTrees, values: np.ndarray) -> np.ndarray:
    """Reshape values, (..., n_outputs, n_values), to (..., n_outputs), or for a classifier to (..., n_classes)."""
    return values[..., 0, :] if trees.is_classifier else values[..., 0]


def _encodes_by_column(trees: FittedTrees | None) -> bool:
    """Return whether no step before the trees mixes columns or rows."""
    if trees is None:
        return False
    steps = [] if trees.steps is None else [step for _, step in trees.steps.steps]
    if trees.preprocessor is not None:
        steps.append(trees.preprocessor)
    return all(isinstance(step, _BY_COLUMN) for step in steps)


def _read_output(
    model: Any, predict: Callable[[pd.DataFrame], np.ndarray], frame: pd.DataFrame, output: Any
) -> tuple[list, np.ndarray]:
    """Return the selected outputs, and their positions among all outputs."""
    if is_classifier(model):
        if getattr(model, "n_outputs_", 1) > 1 or isinstance(model.classes_, list):
            raise ValueError("The classifier has several outputs: fit one classifier per output.")
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

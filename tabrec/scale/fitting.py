"""Fit estimators to tables in chunks: encodings to all rows, trees to rows that are drawn uniformly."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier
from sklearn.utils import check_random_state

from tabrec.preprocess.frame_transformer import FrameTransformer
from tabrec.preprocess.merging import merge_fits, start_at
from tabrec.preprocess.raw_frames import RawFrameMixin
from tabrec.preprocess.table_survey import TableSurvey
from tabrec.scale.encoded_table import EncodedTable
from tabrec.scale.row_draw import RowDraw
from tabrec.scale.target_column import TargetColumn
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.messages import distinct_warnings, warn_caller
from tabrec.tables.progress import show_progress
from tabrec.trees.boosting_base import BoostingMixin
from tabrec.trees.forest_base import ForestMixin

# Bytes per drawn row while a model is fitted: for each encoded column, and besides.
_FOREST_BYTES, _BYTES = (12, 120), (30, 120)


class _Encoding(NamedTuple):
    """The results of the passes over all rows."""

    preprocessor: Any
    n_rows: int
    classes: dict[Any, int]  # rows of each class; empty for a regression
    width: int  # number of encoded columns


def fit_to_chunks(estimator: Any, chunks: Any, y: Any, options: Mapping[str, Any]) -> Any:
    """Fit a transformer or an estimator to all rows of a table in chunks."""
    if options:
        raise ValueError(
            f"{type(estimator).__name__} takes {', '.join(options)} with tables in memory only, not with chunks."
        )
    with distinct_warnings():
        if isinstance(estimator, FrameTransformer):
            return _fit_transformer(estimator, chunks)
        if isinstance(estimator, (ForestMixin, BoostingMixin)):
            return _fit_estimator(estimator, chunks, y)
        # imported here because they load torch
        from tabrec.collab.recommender import Recommender
        from tabrec.neural.tabular_estimator import TabularEstimator
        from tabrec.scale.ratings import fit_recommender

        if isinstance(estimator, TabularEstimator):
            return _fit_estimator(estimator, chunks, y)
        if isinstance(estimator, Recommender):
            return fit_recommender(estimator, chunks, y)
    raise TypeError(
        f"{type(estimator).__name__} does not learn from chunks: pass rows that fit in memory, as "
        "chunks.sample(100_000)."
    )


@restores_on_failure
def _fit_transformer(transformer: Any, chunks: Any) -> Any:
    fresh = learn_encoding(clone(transformer), chunks)
    for name in [name for name in vars(transformer) if name not in vars(fresh)]:
        delattr(transformer, name)
    for name, value in vars(fresh).items():
        setattr(transformer, name, value)
    return transformer


def learn_encoding(transformer: Any, chunks: Any, verbose: Any = "auto") -> Any:
    """Fit a new transformer to all rows: a first pass finds the kinds of the columns, a second one their statistics.

    Parts of the table are learned from on their own, and the results are merged.
    """
    if not hasattr(transformer, "partial_fit"):
        raise TypeError(
            f"preprocessor={transformer!r} has no partial_fit, by which it could learn from chunks: use a "
            "TabularPreprocessor."
        )
    if not hasattr(transformer, "start_fit"):
        return _learn_part(transformer, chunks)
    with show_progress("Looking at the columns", None, verbose):
        surveys = iter(chunks.map_parts(_survey))
        first = next(surveys)
        for survey in surveys:
            first.merge(survey)
    _check_some_rows(first.n_rows)
    transformer.start_fit(first)
    with show_progress("Learning the columns", None, verbose):
        fitted = reduce(merge_fits, chunks.map_parts(partial(_learn_part_from, transformer)))
    return fitted


def _survey(part: Any, start: int) -> TableSurvey:
    survey = TableSurvey()
    for frame in part:
        survey.add(frame)
    return survey


def _learn_part_from(transformer: Any, part: Any, start: int) -> Any:
    """Fit a copy of a transformer to a part of a table that starts at row `start`."""
    return _learn_part(start_at(transformer, start), part)


def _learn_part(transformer: Any, part: Any) -> Any:
    n_rows = 0
    for frame in part:
        transformer.partial_fit(frame)
        n_rows += len(frame)
    _check_some_rows(n_rows)
    return transformer


def _check_some_rows(n_rows: int) -> None:
    if not n_rows:
        raise ValueError("The table has no rows.")


@restores_on_failure
def _fit_estimator(estimator: Any, chunks: Any, y: Any) -> Any:
    """Learn the encoding from all rows, and the model from a sample of rows, or a net from blocks of all rows."""
    estimator._validate_params()
    if estimator.warm_start:
        raise ValueError("warm_start=True continues a fit to tables in memory, not to chunks.")
    target = TargetColumn.parse(y, list(chunks.schema))
    learned = _learn(estimator, chunks, target)
    table = EncodedTable(chunks, target, learned.preprocessor, not is_classifier(estimator), learned.n_rows)
    n_fitting = _count_fitting(estimator, chunks.memory, learned.width)
    if n_fitting < learned.n_rows and not isinstance(estimator, (ForestMixin, BoostingMixin)):
        from tabrec.scale.streaming import fit_net_to_blocks

        fit_net_to_blocks(estimator, table, learned.width, list(learned.classes) or None)
        return estimator
    n_drawn, seed = min(_count_wanted(estimator, learned.n_rows), n_fitting), 0
    if n_drawn < learned.n_rows:
        seed = int(check_random_state(estimator.random_state).randint(np.iinfo(np.int32).max))
        _warn_of_memory(estimator, chunks.memory, n_drawn, learned)
    with show_progress("Drawing rows", None, estimator.verbose):
        drawn, positions = table.draw(RowDraw(learned.n_rows, n_drawn, seed))
    _check_classes(learned.classes, drawn.y)
    estimator.fit_encoded(drawn.encoded, drawn.y, learned.preprocessor)
    estimator.sample_rows_ = positions
    return estimator


def _learn(estimator: RawFrameMixin, chunks: Any, target: TargetColumn) -> _Encoding:
    """Fit the preprocessor to all rows, and check the target in all of them."""
    classes: dict[Any, int] = {}
    numeric, n_rows = not is_classifier(estimator), 0
    for frame in chunks.select([target.column]):
        found = target.read(frame, n_rows, numeric)
        n_rows += len(frame)
        if not numeric:
            for label, count in pd.Series(found).value_counts().items():
                classes[label] = classes.get(label, 0) + count
    _check_some_rows(n_rows)
    features = chunks.drop([target.column])
    preprocessor = learn_encoding(estimator.make_preprocessor(), features, estimator.verbose)
    width = preprocessor.transform(features.head(1)).shape[1]
    return _Encoding(preprocessor, n_rows, classes, width)


def _count_wanted(estimator: Any, n_rows: int) -> int:
    """Return the largest number of rows that all trees together can draw."""
    if not isinstance(estimator, ForestMixin) or not estimator.bootstrap or estimator.max_samples is None:
        return n_rows
    each = estimator.max_samples
    each = int(each) if isinstance(each, (int, np.integer)) else max(int(each * n_rows), 1)
    return min(n_rows, estimator.n_estimators * each)


def _count_fitting(estimator: Any, memory: int, width: int) -> int:
    by_column, in_addition = _FOREST_BYTES if isinstance(estimator, ForestMixin) else _BYTES
    return max(memory // (by_column * width + in_addition), 1)


def _warn_of_memory(estimator: Any, memory: int, n_drawn: int, learned: _Encoding) -> None:
    if n_drawn < _count_wanted(estimator, learned.n_rows):
        warn_caller(
            f"{type(estimator).__name__} grows its trees on {n_drawn:,} rows, drawn from all {learned.n_rows:,}, which "
            f"is what memory={memory:,} bytes holds; its encoding is learned from all rows."
        )


def _check_classes(classes: Mapping[Any, int], drawn: np.ndarray) -> None:
    lost = [label for label in classes if label not in set(drawn.tolist())] if classes else []
    if lost:
        raise ValueError(
            f"No row of the class {lost[0]!r} was drawn, which has {classes[lost[0]]:,} of {sum(classes.values()):,} "
            "rows: merge rare classes, or raise memory of the chunks or max_samples."
        )

"""`merge_fits`: merge transformers that were fitted to parts of a table."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from tabrec.preprocess.categorify import Categorify
from tabrec.preprocess.date_parts import DateParts
from tabrec.preprocess.fill_missing import FillMissing
from tabrec.preprocess.normalize import Normalize, merge_moments
from tabrec.preprocess.tabular_preprocessor import TabularPreprocessor
from tabrec.tables.numbers import merge_counts


def merge_fits(first: Any, second: Any) -> Any:
    """Return a transformer that has learned from the rows of both, in this order; neither is changed.

    Both were fitted by `partial_fit`, after the same `start_fit` if they have it, and the second one starts at the row
    where the first ends; see `start_at`. Labels, counts and medians are then those of one fit to all rows, and means
    are equal up to rounding.
    """
    if type(first) is not type(second) or type(first) not in _MERGE:
        raise TypeError(f"{type(first).__name__} and {type(second).__name__} cannot be merged.")
    if list(first.feature_names_in_) != list(second.feature_names_in_):
        raise ValueError(f"{type(first).__name__} was fitted to other columns in another part of the table.")
    merged = copy(first)
    merged._warned = {*getattr(first, "_warned", ()), *getattr(second, "_warned", ())}
    _MERGE[type(first)](merged, first, second)
    return merged


def start_at(transformer: Any, row: int) -> Any:
    """Copy a transformer that has seen no rows, to learn from a part of a table that starts at row `row`."""
    moved = copy(transformer)
    if isinstance(transformer, TabularPreprocessor):
        moved.fill_missing_ = start_at(transformer.fill_missing_, row)
        moved.normalize_ = None if transformer.normalize_ is None else start_at(transformer.normalize_, row)
    elif isinstance(transformer, (FillMissing, Normalize)):
        moved._samples = {name: sample.starting_at(row) for name, sample in transformer._samples.items()}
    return moved


def _merge_labels(merged: Categorify, first: Categorify, second: Categorify) -> None:
    _check_columns(first._counts, second._counts, merged)
    counts = {}
    for name, rows in first._counts.items():
        counts[name] = dict(rows)
        for label, count in second._counts[name].items():
            counts[name][label] = counts[name].get(label, 0) + count
    errors = {**first.count_errors_, **second.count_errors_}
    merged.count_errors_ = {n: first.count_errors_.get(n, 0) + second.count_errors_.get(n, 0) for n in errors}
    merged._limit_labels(counts)
    merged._n_rows = first._n_rows + second._n_rows
    merged._choose_codes(counts, list(counts))


def _merge_fills(merged: FillMissing, first: FillMissing, second: FillMissing) -> None:
    _check_columns(first._gaps, second._gaps, merged)
    merged._gaps = {name: has_gaps or second._gaps[name] for name, has_gaps in first._gaps.items()}
    merged._samples = {name: sample.merge(second._samples[name]) for name, sample in first._samples.items()}
    merged._value_counts = {
        name: merge_counts(first._value_counts[name], second._value_counts[name])
        for name in first._gaps
        if name in first._value_counts and name in second._value_counts
    }
    merged._counts = {name: dict(counts) for name, counts in first._counts.items()}
    for name, counts in second._counts.items():
        for value, count in counts.items():
            merged._counts[name][value] = merged._counts[name].get(value, 0) + count
    wide = {*first.float64_columns_, *second.float64_columns_}
    merged.float64_columns_ = [name for name in first._gaps if name in wide]
    merged.fill_values_ = {name: merged._fill_value(name) for name in first._gaps}
    merged.indicators_ = [name for name, has_gaps in merged._gaps.items() if has_gaps] if merged.add_indicator else []


def _merge_scales(merged: Normalize, first: Normalize, second: Normalize) -> None:
    _check_columns(first._moments, second._moments, merged)
    merged._origins = {**second._origins, **first._origins}
    merged._moments, merged.means_, merged.stds_, merged.quantiles_ = {}, {}, {}, {}
    merged._samples = {name: sample.merge(second._samples[name]) for name, sample in first._samples.items()}
    for name, moments in first._moments.items():
        n, mean, squares = second._moments[name]
        shift = second._origins.get(name, 0.0) - merged._origins.get(name, 0.0)
        merged._moments[name] = merge_moments(moments, (n, mean + shift, squares)) if n else moments
        merged._set_scale(name)
        if merged.method == "quantile":
            merged._set_quantiles(name)
    wide = {*first.float64_columns_, *second.float64_columns_}
    merged.float64_columns_ = [name for name in first._moments if name in wide]


def _merge_steps(merged: TabularPreprocessor, first: TabularPreprocessor, second: TabularPreprocessor) -> None:
    if first.kinds_ != second.kinds_:
        raise ValueError("The kinds of the columns were chosen from other rows: start both by one survey.")
    merged.categorify_ = merge_fits(first.categorify_, second.categorify_)
    merged.fill_missing_ = merge_fits(first.fill_missing_, second.fill_missing_)
    if first.normalize_ is not None:
        merged.normalize_ = merge_fits(first.normalize_, second.normalize_)


def _keep_dates(merged: DateParts, first: DateParts, second: DateParts) -> None:
    """Keep the formats and parts of the first rows; `partial_fit` has checked those of all other rows."""
    _check_columns(np.unique(list(first.formats_)), np.unique(list(second.formats_)), merged)


def _check_columns(first: Any, second: Any, owner: Any) -> None:
    if list(first) != list(second):
        raise ValueError(f"{type(owner).__name__} has chosen other columns in another part of the table: name them.")


_MERGE: dict[type, Any] = {
    Categorify: _merge_labels,
    FillMissing: _merge_fills,
    Normalize: _merge_scales,
    DateParts: _keep_dates,
    TabularPreprocessor: _merge_steps,
}

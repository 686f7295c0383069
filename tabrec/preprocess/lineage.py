"""`trace_columns`: the raw column, label or date part that each encoded column comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import OneToOneFeatureMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.impute import MissingIndicator
from sklearn.impute._base import _BaseImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, TargetEncoder
from sklearn.utils._indexing import _get_column_indices
from sklearn.utils.validation import check_is_fitted


@dataclass(frozen=True)
class Origin:
    """Where an encoded column comes from.

    Parameters
    ----------
    column : str
        The raw column.
    kind : str
        How the encoded column is computed from it:

        - "value": the values themselves, possibly filled, scaled or transformed one by one;
        - "codes": integer codes of its labels, which are in `labels`;
        - "missing": an indicator of its missing values;
        - "date part": the part of its dates that is in `part`;
        - "elapsed": days since or until an event, or a count of events; `part` says which;
        - "label": a one-hot column, 1 where the raw column has the label in `label`;
        - "target mean": the mean of the target by label, for the class in `label` if there are several;
        - "embedding": a coordinate of a learned vector;
        - "derived": anything else that a transformer computes from this column alone.
    label : object, default=None
        Label of a one-hot column; class of a target mean.
    part : str, default=None
        Part of a date, such as "Month"; prefix or suffix of a column of `ElapsedSince`, such as "After".
    labels : sequence, default=None
        Labels by code of a column of codes; of a one-hot column for several infrequent labels, those labels.
    """

    column: str
    kind: str
    label: Any = None
    part: str | None = None
    labels: Sequence | None = field(default=None, repr=False, hash=False)


Origins = dict[str, Origin | None]
_Known = Sequence[str] | int | None  # names of columns, or their number


def trace_columns(transformer: Any, columns: Iterable[str], output_names: Sequence[str] | None = None) -> Origins:
    """Trace every output column of a fitted transformer back to a raw column.

    Origins are recorded by the transformers of this package and derived from the fitted structure of scikit-learn's;
    names are never parsed.

    Parameters
    ----------
    transformer : fitted transformer, pipeline or estimator, or None
        A pipeline may end in a predictor, whose input columns are then traced. An estimator of this package is traced
        to its encoded columns. None stands for no transformer.
    columns : list of str
        Names of the input columns.
    output_names : list of str, default=None
        Names of the output columns, if known; None asks the transformer. Columns without names are named
        by position: ``x0``, ``x1``, …

    Returns
    -------
    dict of str to (Origin or None)
        The `tabrec.preprocess.lineage.Origin` of each output column, in order: its `column`, `kind`, `label`, `part`
        and `labels`. None if it cannot be derived, as for a column that an arbitrary transformer computes from several
        columns. Empty if the transformer neither names nor counts its columns.

    See Also
    --------
    TabularPreprocessor : Records `input_to_outputs_` and `output_to_input_`, as all transformers here do.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from tabrec.preprocess import trace_columns
    >>> sales = pd.DataFrame({"state": ["Ohio", "Utah"]})
    >>> trace_columns(OneHotEncoder().fit(sales), ["state"])["state_Utah"]
    Origin(column='state', kind='label', label='Utah', part=None)
    """
    return _trace(transformer, [str(name) for name in columns], output_names)


def compose_origins(first: Mapping[str, Origin | None], second: Mapping[str, Origin | None]) -> Origins:
    """Compose the origins of two steps: those of the second, in terms of the input columns of the first."""
    return {
        name: _compose(first.get(origin.column), origin) if origin is not None else None
        for name, origin in second.items()
    }


def values_of(columns: Iterable[str]) -> Origins:
    """Return origins of columns that are raw columns themselves."""
    return {name: Origin(name, "value") for name in columns}


class LineageMixin:
    """Public maps between raw and encoded columns, for an estimator that implements `origins`."""

    def origins(self) -> Origins:
        """Return where each encoded column comes from, in the order of the encoded columns; see `trace_columns`."""
        raise NotImplementedError

    @property
    def output_to_input_(self) -> dict[str, str | None]:
        """The raw column that each encoded column comes from; None where it is not known."""
        check_is_fitted(self)
        return {name: None if origin is None else origin.column for name, origin in self.origins().items()}

    @property
    def input_to_outputs_(self) -> dict[str, list[str]]:
        """The encoded columns that come from each raw column; an empty list for a column that is left out."""
        check_is_fitted(self)
        outputs: dict[str, list[str]] = {name: [] for name in input_names(self)}
        for name, source in self.output_to_input_.items():
            if source is not None:
                outputs[source].append(name)
        return outputs


def input_names(estimator: Any) -> list[str]:
    """Return the names of the columns that an estimator was fitted on; by position, ``x0``, ``x1``, …, for an array."""
    if hasattr(estimator, "feature_names_in_"):
        return [str(name) for name in estimator.feature_names_in_]
    return [f"x{i}" for i in range(estimator.n_features_in_)]


def _compose(first: Origin | None, second: Origin) -> Origin | None:
    if first is None:
        return None
    if second.kind == "value":
        return first
    if first.kind == "codes" and second.kind in ("codes", "label"):
        label = _decode(second.label, first.labels)
        labels = None if second.labels is None else [_decode(code, first.labels) for code in second.labels]
        return replace(second, column=first.column, label=label, labels=labels)
    label = first.label if second.label is None else second.label
    return replace(second, column=first.column, label=label, part=second.part or first.part)


def _decode(code: Any, labels: Sequence | None) -> Any:
    """Return the label of a code; other values, such as NaN for a missing label, stay."""
    is_code = labels is not None and isinstance(code, (int, float, np.number)) and code == code
    return labels[int(code)] if is_code and labels is not None and 0 <= code < len(labels) else code


def _trace(transformer: Any, inputs: list[str], known: _Known = None) -> Origins:
    if isinstance(transformer, FrozenEstimator):
        transformer = transformer.estimator
    if isinstance(transformer, Pipeline):
        return _trace_pipeline(transformer, inputs, known)
    if transformer is None or isinstance(transformer, str):
        return {} if transformer == "drop" else values_of(inputs)
    is_named = hasattr(transformer, "feature_names_in_")
    if hasattr(transformer, "origins"):
        own = inputs if is_named else input_names(transformer)
        given = {mine: Origin(name, "value") for mine, name in zip(own, inputs, strict=False)}
        return compose_origins(given, transformer.origins())
    own = input_names(transformer) if is_named else inputs
    names = _output_names(transformer, own, known)
    origins = next((rule(transformer, own) for cls, rule in _RULES if isinstance(transformer, cls)), None)
    if origins is not None and not names:
        names = [f"x{position}" for position in range(len(origins))]  # some step does not name its columns
    if origins is None or len(origins) != len(names):
        # All outputs of a single input column come from it.
        origins = [Origin(own[0], "derived") if len(own) == 1 else None] * len(names)
    return compose_origins(values_of(inputs), dict(zip(names, origins, strict=True)))


def _trace_pipeline(pipeline: Pipeline, inputs: list[str], known: _Known) -> Origins:
    steps = [step for _, step in pipeline.steps if step not in (None, "passthrough")]
    if steps and not (hasattr(steps[-1], "transform") or hasattr(steps[-1], "origins")):
        predictor = steps.pop()
        known = _seen_by(predictor) if known is None else known
    origins = values_of(inputs)
    for step, names in zip(steps, [*map(_seen_by, steps[1:]), known], strict=True):
        origins = compose_origins(origins, _trace(step, list(origins), names))
    return origins


def _seen_by(step: Any) -> _Known:
    """Return the names of the columns that a step was fitted on, or their number if they came without names."""
    return input_names(step) if hasattr(step, "feature_names_in_") else getattr(step, "n_features_in_", None)


def _output_names(transformer: Any, inputs: list[str], known: _Known) -> list[str]:
    if known is not None and not isinstance(known, int):
        return list(known)
    try:
        names = [str(name) for name in transformer.get_feature_names_out(inputs)]
    except (AttributeError, TypeError, ValueError):
        names = []
    return names if known in (None, len(names)) else [f"x{i}" for i in range(known)]


def _one_to_one(transformer: Any, inputs: list[str]) -> list[Origin | None]:
    return [Origin(name, "value") for name in inputs]


def _function(transformer: FunctionTransformer, inputs: list[str]) -> list[Origin | None] | None:
    is_one_to_one = transformer.func is None or transformer.feature_names_out == "one-to-one"
    return _one_to_one(transformer, inputs) if is_one_to_one else None


def _one_hot(encoder: OneHotEncoder, inputs: list[str]) -> list[Origin | None]:
    """Return a column for each frequent label, then one for infrequent labels; one may be dropped."""
    origins: list[Origin | None] = []
    n_columns = len(encoder.categories_)
    infrequent = getattr(encoder, "infrequent_categories_", [None] * n_columns)
    dropped = [None] * n_columns if encoder.drop_idx_ is None else encoder.drop_idx_
    for name, labels, together, drop in zip(inputs, encoder.categories_, infrequent, dropped, strict=False):
        shared = pd.Series(labels, dtype=object).isin([] if together is None else together).to_numpy()
        origins += [
            Origin(name, "label", label)
            for position, label in enumerate(labels.tolist())
            if not shared[position] and position != drop
        ]
        if shared.any() and (drop is None or not shared[drop]):
            origins.append(Origin(name, "label", labels=together.tolist()))
    return origins


def _ordinal(encoder: OrdinalEncoder, inputs: list[str]) -> list[Origin | None]:
    """Return one origin per column with labels by code, or without labels if infrequent ones share a code."""
    if any(together is not None for together in getattr(encoder, "infrequent_categories_", [])):
        return _one_to_one(encoder, inputs)
    return [
        Origin(name, "codes", labels=labels.tolist()) for name, labels in zip(inputs, encoder.categories_, strict=False)
    ]


def _target_mean(encoder: TargetEncoder, inputs: list[str]) -> list[Origin | None]:
    classes = encoder.classes_.tolist() if encoder.target_type_ == "multiclass" else [None]
    return [Origin(name, "target mean", label) for name in inputs for label in classes]


def _imputed(imputer: Any, inputs: list[str]) -> list[Origin | None]:
    """Return the columns that had any value in fit, then the indicators."""
    filling = getattr(imputer, "statistics_", None)  # NaN for a column that is left out
    kept = [name for i, name in enumerate(inputs) if filling is None or not pd.isna(filling[i])]
    marked = [] if imputer.indicator_ is None else _indicators(imputer.indicator_, inputs)
    return [*_one_to_one(imputer, kept), *marked]


def _indicators(indicator: MissingIndicator, inputs: list[str]) -> list[Origin | None]:
    return [Origin(inputs[position], "missing") for position in indicator.features_]


def _selected(selector: Any, inputs: list[str]) -> list[Origin | None]:
    kept = [name for name, is_kept in zip(inputs, selector.get_support(), strict=False) if is_kept]
    return _one_to_one(selector, kept)


def _union(union: FeatureUnion, inputs: list[str]) -> list[Origin | None]:
    return [origin for _, part in union.transformer_list for origin in _trace(part, inputs).values()]


def _by_column(composed: ColumnTransformer, inputs: list[str]) -> list[Origin | None]:
    """Place the outputs of each transformer at its `output_indices_`."""
    outputs = composed.output_indices_
    origins: list[Origin | None] = [None] * max(where.stop for where in outputs.values())
    frame = pd.DataFrame(columns=inputs)
    for name, transformer, columns in composed.transformers_:
        where = outputs[name]
        if where.stop > where.start:
            chosen = [inputs[position] for position in _get_column_indices(frame, columns)]
            found = list(_trace(transformer, chosen, where.stop - where.start).values())
            if len(found) == where.stop - where.start:
                origins[where] = found
    return origins


# Functions that return the origins of a transformer's output columns; subclasses come before their base classes.
_RULES: list[tuple[type, Callable[[Any, list[str]], list[Origin | None] | None]]] = [
    (ColumnTransformer, _by_column),
    (FeatureUnion, _union),
    (OneHotEncoder, _one_hot),
    (OrdinalEncoder, _ordinal),
    (TargetEncoder, _target_mean),
    (_BaseImputer, _imputed),
    (MissingIndicator, _indicators),
    (SelectorMixin, _selected),
    (FunctionTransformer, _function),
    (OneToOneFeatureMixin, _one_to_one),
]

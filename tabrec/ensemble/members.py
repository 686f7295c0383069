"""The models to combine and compare, which are given by short names or as pairs of a name and an estimator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from sklearn.base import clone, is_classifier
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils.validation import has_fit_parameter

from tabrec.preprocess import TabularPreprocessor

Members = list[tuple[str, Any]]

_N_NEIGHBORS = 25
# Rarer labels share one column of the linear model.
_FEWEST_ROWS_OF_LABEL = 5


def _forest(of_classes: bool, preprocessor: Any, **options: Any) -> Any:
    from tabrec.trees import ForestClassifier, ForestRegressor

    return (ForestClassifier if of_classes else ForestRegressor)(preprocessor=preprocessor, **options)


def _extra_trees(of_classes: bool, preprocessor: Any, **options: Any) -> Any:
    # Chosen by the scores on 19 tables: each tree uses all rows, columns and labels, because only the thresholds are
    # random. Up to 50,000 rows, a leaf may be a single row; with more, it has at least a share of 2e-5 of the rows.
    settings = {"splitter": "random", "bootstrap": False, "oob_score": False, "min_samples_leaf": 2e-5}
    settings |= {"max_features": 1.0, "high_cardinality": 1}
    return _forest(of_classes, preprocessor, **settings, **options)


def _boosting(of_classes: bool, preprocessor: Any, **options: Any) -> Any:
    from tabrec.trees import BoostingClassifier, BoostingRegressor

    return (BoostingClassifier if of_classes else BoostingRegressor)(preprocessor=preprocessor, **options)


def _net(of_classes: bool, preprocessor: Any, **options: Any) -> Any:
    neural = import_module("tabrec.neural")  # imported here because it loads torch
    net = neural.TabularClassifier if of_classes else neural.TabularRegressor
    return net(preprocessor=preprocessor, **options)


def _linear(of_classes: bool, preprocessor: Any, *, random_state: Any, **_: Any) -> Any:
    labels = OneHotEncoder(handle_unknown="ignore", min_frequency=_FEWEST_ROWS_OF_LABEL)
    columns = make_column_transformer(
        (labels, make_column_selector(dtype_include="category")),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    model = LogisticRegression(max_iter=1000, random_state=random_state) if of_classes else Ridge()
    return make_pipeline(preprocessor.set_output(transform="pandas"), columns, model)


def _neighbors(of_classes: bool, preprocessor: Any, **options: Any) -> Any:
    neural = import_module("tabrec.neural")
    encoder = neural.EmbeddingEncoder(_net(of_classes, preprocessor, **options), cv=None)
    model = KNeighborsClassifier if of_classes else KNeighborsRegressor
    scaled = make_pipeline(
        encoder.set_output(transform="pandas"), StandardScaler(), model(_N_NEIGHBORS, weights="distance")
    )
    return scaled


# By short name: the purpose of the preprocessor, and the function that makes the estimator.
_MAKERS: dict[str, tuple[str, Callable]] = {
    "forest": ("forest", _forest),
    "extra_trees": ("forest", _extra_trees),
    "linear": ("net", _linear),
    "boosting": ("forest", _boosting),
    "net": ("net", _net),
    "neighbors": ("net", _neighbors),
}
KINDS = tuple(_MAKERS)
# The fastest first, so that a time budget leaves out the slowest.
DEFAULT_KINDS = ("forest", "extra_trees", "linear", "boosting", "net")


def purpose_of(kind: str) -> str:
    """Return the parameter `purpose` of the preprocessor for a kind of model."""
    return _MAKERS[kind][0]


def make_member(
    kind: str,
    *,
    of_classes: bool,
    columns: Mapping[str, Any] | None = None,
    device: Any = None,
    random_state: Any = None,
) -> Any:
    """Make a model of a kind with default parameters; `columns` are parameters of its `TabularPreprocessor`."""
    purpose, make = _MAKERS[kind]
    options = {"device": device} if device is not None and purpose == "net" else {}
    made = make(of_classes, TabularPreprocessor(purpose, **(columns or {})), random_state=random_state, **options)
    if _routing_enabled():
        _request_weights(made)
    return made


def _request_weights(estimator: Any) -> None:
    """Request sample weights if metadata routing is enabled, which the caller of a short name cannot do."""
    for step in [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else [estimator]:
        if has_fit_parameter(step, "sample_weight"):
            step.set_fit_request(sample_weight=True)


def read_members(parameter: str, given: Any, *, of_classes: bool, seed: int | None) -> Members:
    """Convert short names and pairs to pairs of a name and a new estimator; `seed` replaces random states of None."""
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise TypeError(f"{parameter}={given!r} must be a list of short names and of pairs (name, estimator).")
    members = [_read_member(parameter, entry, of_classes=of_classes, seed=seed) for entry in given]
    members = [(name, estimator) for name, estimator in members if not isinstance(estimator, str)]
    names = [name for name, _ in members]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{parameter} must name at least one model, and each by another name; got {names}.")
    return members


def _read_member(parameter: str, entry: Any, *, of_classes: bool, seed: int | None) -> tuple[str, Any]:
    if isinstance(entry, str):
        if entry not in _MAKERS:
            raise ValueError(f"{parameter} has {entry!r}; the short names are {', '.join(KINDS)}.")
        return entry, make_member(entry, of_classes=of_classes, random_state=seed)
    if not is_pair(entry):
        raise TypeError(f"{parameter} has {entry!r}, which is neither a short name nor a pair (name, estimator).")
    name, estimator = entry
    if "__" in name:
        raise ValueError(f"{parameter} has a model named {name!r}; names must not contain '__'.")
    if isinstance(estimator, str):
        if estimator != "drop":
            raise ValueError(f"{parameter} has {name}={estimator!r}, which is neither an estimator nor 'drop'.")
        return name, estimator
    if is_classifier(estimator) != of_classes:
        raise ValueError(
            f"{parameter} has {name}={estimator!r}, which is not a {'classifier' if of_classes else 'regressor'}."
        )
    if of_classes and not hasattr(estimator, "predict_proba"):
        raise TypeError(f"{parameter} has {name}={estimator!r}, which gives no probabilities: it lacks predict_proba.")
    made = clone(estimator)
    unseeded = {
        key: seed for key, value in made.get_params().items() if key.split("__")[-1] == "random_state" and value is None
    }
    return name, made.set_params(**unseeded) if seed is not None else made


def is_pair(entry: Any) -> bool:
    """Return whether an entry of a list of models is a pair of a name and an estimator."""
    return isinstance(entry, (tuple, list)) and len(entry) == 2 and isinstance(entry[0], str)


def weight_parameters(estimator: Any, weights: Any) -> dict[str, Any]:
    """Return the parameters of `fit` that pass weights to an estimator; raises a TypeError if it accepts none."""
    if weights is None:
        return {}
    if _routing_enabled():
        requested = estimator.get_metadata_routing().consumes("fit", ["sample_weight"])
        return {"sample_weight": weights} if requested else {}
    last = estimator
    prefix = ""
    while isinstance(last, Pipeline):
        prefix += f"{last.steps[-1][0]}__"
        last = last.steps[-1][1]
    if not has_fit_parameter(last, "sample_weight"):
        raise TypeError(f"{type(last).__name__} takes no sample_weight.")
    return {f"{prefix}sample_weight": weights}

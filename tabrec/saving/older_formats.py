"""Convert class names and attributes of older formats.

Format 1 (tabrec 0.1) names classes by module path. Format 2 (tabrec 0.2) names them as `class_names` does.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import tabrec
from tabrec.saving.folder import UnreadableModel

# The registered names of the module paths in format 1.
_FORMAT_1 = {
    "tabrec.preprocess.date_parts.DateParts": "date-parts",
    "tabrec.preprocess.categorify.Categorify": "categorify",
    "tabrec.preprocess.categorify.Codes": "category-codes",
    "tabrec.preprocess.fill_missing.FillMissing": "fill-missing",
    "tabrec.preprocess.normalize.Normalize": "normalize",
    "tabrec.preprocess.elapsed_since.ElapsedSince": "elapsed-since",
    "tabrec.preprocess.tabular_preprocessor.TabularPreprocessor": "tabular-preprocessor",
    "tabrec.preprocess.time_split.TimeSplit": "time-split",
    "tabrec.preprocess._numbers.UniformSample": "uniform-sample",
    "tabrec.trees.forest.ForestRegressor": "forest-regressor",
    "tabrec.trees.forest.ForestClassifier": "forest-classifier",
    "tabrec.trees.boosting.BoostingRegressor": "boosting-regressor",
    "tabrec.trees.boosting.BoostingClassifier": "boosting-classifier",
    "tabrec.neural.tabular_regressor.TabularRegressor": "tabular-regressor",
    "tabrec.neural.tabular_classifier.TabularClassifier": "tabular-classifier",
    "tabrec.neural.embedding_encoder.EmbeddingEncoder": "embedding-encoder",
    "tabrec.neural.tabular_model.TabularModel": "tabular-model",
    "tabrec.neural._inputs.FrameReader": "frame-reader",
    "tabrec.neural._inputs.TargetScaler": "target-scaler",
    "tabrec.collab.dot_product_bias.DotProductBias": "dot-product-bias",
    "tabrec.collab.embedding_nn.EmbeddingNN": "embedding-nn",
    "tabrec.collab.bayesian_factorization.BayesianFactorization": "bayesian-factorization",
    "tabrec.collab.splitters.LeaveLastOut": "leave-last-out",
    "tabrec.collab.splitters.PerUserSplit": "per-user-split",
    "tabrec.collab._dot_product.DotProduct": "dot-product",
    "tabrec.collab._factors.RowPrior": "row-prior",
    "tabrec.collab._features.SideTable": "side-table",
    "tabrec.collab._gibbs.GibbsState": "gibbs-state",
    "tabrec.collab._gibbs.SideState": "gibbs-side-state",
    "tabrec.collab._gibbs_posterior.Posterior": "posterior",
    "tabrec.collab._gibbs_posterior.SidePrior": "posterior-side",
    "tabrec.collab._ids.Ids": "ids",
    "tabrec.collab._ratings.Ratings": "ratings",
    "tabrec.collab._sides.Side": "rating-side",
    "sklearn.pipeline.Pipeline": "pipeline",
    "sklearn.pipeline.FeatureUnion": "feature-union",
    "sklearn.compose._column_transformer.ColumnTransformer": "column-transformer",
    "sklearn.compose._target.TransformedTargetRegressor": "transformed-target-regressor",
    "sklearn.ensemble._voting.VotingClassifier": "voting-classifier",
    "sklearn.ensemble._voting.VotingRegressor": "voting-regressor",
    "sklearn.ensemble._stacking.StackingClassifier": "stacking-classifier",
    "sklearn.ensemble._stacking.StackingRegressor": "stacking-regressor",
}


def _with_purpose(state: dict[str, Any]) -> dict[str, Any]:
    """Rename `for_` to `purpose`, and add the formats of numbers and dates, which did not exist."""
    state = {"purpose" if name == "for_" else name: value for name, value in state.items()}
    return {"number_formats_": {}, "date_marks_": {}} | state if "kinds_" in state else state


def _with_time_parts(state: dict[str, Any]) -> dict[str, Any]:
    """Add the parts of each date, which all dates shared, and no marks of missing dates."""
    names = state.get("formats_")
    if names is None:
        return state
    parts = ["Hour", "Minute", "Second"] if state["time"] else []
    return {"time_parts_": dict.fromkeys(names, parts), "marks_": {name: [] for name in names}} | state


def _with_number_formats(state: dict[str, Any]) -> dict[str, Any]:
    """Add number formats and float64 columns, neither of which existed."""
    return {"number_formats_": {}, "_warned": set(), "float64_columns_": []} | state


# Learned attributes of the recommenders, by their names in format 1 and in the scorers.
_OF_NETS = {"_seed": "seed", "model_": "model", "history_": "history", "_noise_variance": "noise_variance"}
_OF_DOT_PRODUCT = _OF_NETS | {
    "_designs": "designs",
    "_n_features": "n_features",
    "_means": "means",
    "_feature_parts": "feature_parts",
    "_row_priors": "row_priors",
}
_OF_POSTERIOR = {
    "posterior_": "posterior",
    "_state": "state",
    "_designs": "designs",
    "_range": "range",
    "_seed": "seed",
}


def _make(path: str, **state: Any) -> Any:
    """Return an object of a class, with these attributes."""
    module, _, name = path.rpartition(".")
    made: Any = object.__new__(getattr(import_module(module), name))
    vars(made).update(state)
    return made


def _recommender(owner: str, scorer_class: str, names: dict[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return an upgrade that moves the fitted attributes of a recommender into its reader and its scorer."""

    def upgrade(state: dict[str, Any]) -> dict[str, Any]:
        state = dict(state)
        if "_ratings" not in state:  # not fitted
            return state
        context, context_names = None, state.pop("_context_columns", [])
        if context_names:
            context = _make(
                "tabrec.collab.reader.ContextEncoder",
                names=context_names,
                preprocessor=state.pop("context_preprocessor_"),
                category_sizes=state.pop("_context_sizes"),
                n_numbers=state.pop("_n_context_numbers"),
            )
        state["_reader"] = _make(
            "tabrec.collab.reader.RatingsReader",
            owner=owner,
            user_name=state["user_name_"],
            item_name=state["item_name_"],
            users=state.pop("_users"),
            items=state.pop("_items"),
            ratings=state.pop("_ratings"),
            mean_weight=state.pop("_mean_weight"),
            context=context,
        )
        learned = {new: state.pop(old) for old, new in names.items()} | {"data": state["_reader"]}
        if "target_scaler_" in state:
            bounds, scaler = state.pop("_bounds"), state.pop("target_scaler_")
            learned["scale"] = _make("tabrec.collab.net_training.RatingScale", bounds=bounds, scaler=scaler)
        if "_user_rows" in state:
            learned["rows"] = {"user": state.pop("_user_rows"), "item": state.pop("_item_rows")}
        state["_scorer"] = _make(scorer_class, **learned)
        return state

    return upgrade


# Fitted attributes of columns and target means whose values float32 would merge.
_IN_FLOAT32: dict[str, Any] = {"_float32_maps": {}, "_mean_dtype": "float32", "_offsets": {}}

# Parameters added since, with the values that reproduce the earlier behaviour.
_NEW_PARAMETERS: dict[str, dict[str, Any]] = {
    "boosting-regressor": {"cv": 5},
    "boosting-classifier": {"cv": 5},
    "tabular-regressor": {"n_nets": 1},
    "tabular-classifier": {"loss": "cross_entropy", "n_nets": 1},
    "dot-product-bias": {"bias": True, "metrics": (), "duplicates": "all", "objective": "rating"},
    "embedding-nn": {"metrics": (), "duplicates": "all", "objective": "rating"},
    "bayesian-factorization": {"duplicates": "all"},
}

# Parameters renamed since, by old name.
_RENAMED_PARAMETERS = {"bayesian-factorization": {"history": "implicit_feedback"}}

# Functions that convert attributes saved in format 1, by registered name.
_FROM_FORMAT_1: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "forest-regressor": lambda state: _IN_FLOAT32 | state,
    "forest-classifier": lambda state: _IN_FLOAT32 | state,
    "boosting-regressor": lambda state: _IN_FLOAT32 | state,
    "boosting-classifier": lambda state: _IN_FLOAT32 | state,
    "frame-reader": lambda state: _IN_FLOAT32 | state,
    "tabular-regressor": lambda state: {"trainer": None, "n_nets_": 1} | state,
    "tabular-classifier": lambda state: {"trainer": None, "n_nets_": 1} | state,
    "tabular-preprocessor": _with_purpose,
    "date-parts": _with_time_parts,
    "categorify": lambda state: {"_warned": set()} | state,
    "fill-missing": _with_number_formats,
    "normalize": _with_number_formats,
    "dot-product-bias": _recommender(
        "DotProductBias", "tabrec.collab.dot_product_scorer.DotProductScorer", _OF_DOT_PRODUCT
    ),
    "embedding-nn": _recommender("EmbeddingNN", "tabrec.collab.embedding_scorer.EmbeddingScorer", _OF_NETS),
    "bayesian-factorization": _recommender(
        "BayesianFactorization", "tabrec.collab.posterior_scorer.PosteriorScorer", _OF_POSTERIOR
    ),
}


def name_in_format_1(path_of_class: str, path: Path) -> str:
    """Return the registered name of a module path in format 1; `path` is the folder, for the message."""
    if path_of_class not in _FORMAT_1:
        raise UnreadableModel(f"{path} holds a {path_of_class}, which tabrec {tabrec.__version__} does not know.")
    return _FORMAT_1[path_of_class]


def upgrade(name: str, state: dict[str, Any], file_format: int) -> dict[str, Any]:
    """Convert the attributes of a saved object to the current ones of its class."""
    renamed = _RENAMED_PARAMETERS.get(name, {})
    state = _NEW_PARAMETERS.get(name, {}) | {renamed.get(key, key): value for key, value in state.items()}
    if file_format == 1 and name in _FROM_FORMAT_1:
        return _FROM_FORMAT_1[name](state)
    return state

"""The registered names of classes in saved models: a class can be moved or renamed without breaking old folders.

A released name never changes its meaning. When a class moves, change its path here; when its attributes change, add an
entry to `older_formats`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np

import tabrec

# Estimators and transformers of this package, and the fitted parts inside them.
_OURS = {
    "date-parts": "tabrec.preprocess.date_parts.DateParts",
    "categorify": "tabrec.preprocess.categorify.Categorify",
    "category-codes": "tabrec.preprocess.categorify.Codes",
    "fill-missing": "tabrec.preprocess.fill_missing.FillMissing",
    "normalize": "tabrec.preprocess.normalize.Normalize",
    "elapsed-since": "tabrec.preprocess.elapsed_since.ElapsedSince",
    "tabular-preprocessor": "tabrec.preprocess.tabular_preprocessor.TabularPreprocessor",
    "time-split": "tabrec.preprocess.time_split.TimeSplit",
    "uniform-sample": "tabrec.tables.numbers.UniformSample",
    "forest-regressor": "tabrec.trees.forest.ForestRegressor",
    "forest-classifier": "tabrec.trees.forest.ForestClassifier",
    "boosting-regressor": "tabrec.trees.boosting.BoostingRegressor",
    "boosting-classifier": "tabrec.trees.boosting.BoostingClassifier",
    "tabular-regressor": "tabrec.neural.tabular_regressor.TabularRegressor",
    "tabular-classifier": "tabrec.neural.tabular_classifier.TabularClassifier",
    "embedding-encoder": "tabrec.neural.embedding_encoder.EmbeddingEncoder",
    "tabular-model": "tabrec.neural.tabular_model.TabularModel",
    "frame-reader": "tabrec.neural.inputs.FrameReader",
    "target-scaler": "tabrec.neural.inputs.TargetScaler",
    "dot-product-bias": "tabrec.collab.dot_product_bias.DotProductBias",
    "embedding-nn": "tabrec.collab.embedding_nn.EmbeddingNN",
    "bayesian-factorization": "tabrec.collab.bayesian_factorization.BayesianFactorization",
    "leave-last-out": "tabrec.collab.splitters.LeaveLastOut",
    "per-user-split": "tabrec.collab.splitters.PerUserSplit",
    "dot-product": "tabrec.collab.dot_product_net.DotProduct",
    "row-prior": "tabrec.collab.factors.RowPrior",
    "side-table": "tabrec.collab.sides.SideTable",
    "gibbs-state": "tabrec.collab.gibbs.GibbsState",
    "gibbs-side-state": "tabrec.collab.gibbs.SideState",
    "posterior": "tabrec.collab.posterior.Posterior",
    "posterior-side": "tabrec.collab.posterior.SidePrior",
    "ids": "tabrec.collab.sides.Ids",
    "ratings": "tabrec.collab.interactions.Interactions",
    "rating-side": "tabrec.collab.sides.Side",
    "ratings-reader": "tabrec.collab.reader.RatingsReader",
    "context-encoder": "tabrec.collab.reader.ContextEncoder",
    "rating-scale": "tabrec.collab.net_training.RatingScale",
    "dot-product-scorer": "tabrec.collab.dot_product_scorer.DotProductScorer",
    "embedding-scorer": "tabrec.collab.embedding_nn.EmbeddingScorer",
    "posterior-scorer": "tabrec.collab.bayesian_factorization.PosteriorScorer",
}

# Containers of scikit-learn are saved attribute by attribute, because they can hold models of this package.
_CONTAINERS = {
    "pipeline": "sklearn.pipeline.Pipeline",
    "feature-union": "sklearn.pipeline.FeatureUnion",
    "column-transformer": "sklearn.compose._column_transformer.ColumnTransformer",
    "transformed-target-regressor": "sklearn.compose._target.TransformedTargetRegressor",
    "voting-classifier": "sklearn.ensemble._voting.VotingClassifier",
    "voting-regressor": "sklearn.ensemble._voting.VotingRegressor",
    "stacking-classifier": "sklearn.ensemble._stacking.StackingClassifier",
    "stacking-regressor": "sklearn.ensemble._stacking.StackingRegressor",
}

_PATHS = _OURS | _CONTAINERS
_NAMES = {path: name for name, path in _PATHS.items()}

# Types that skops does not trust by default: plain data structures and metrics of scikit-learn.
_TRUSTED_PARTS = (
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.tree._tree.Tree",
    "sklearn.metrics.",
    "sklearn._loss.",
    "_loss.CyHalf",  # how older releases of scikit-learn name the compiled part of a loss
)


def untrusted(names: list[str]) -> list[str]:
    """The types reported by skops that a saved model must not hold."""
    return [name for name in names if not name.startswith(_TRUSTED_PARTS) and not _is_ufunc(name)]


def _is_ufunc(name: str) -> bool:
    """True for a numpy function such as ``numpy.log``, whatever its module in this numpy version."""
    module, _, function = name.rpartition(".")
    return module.split(".")[0] == "numpy" and isinstance(getattr(np, function, None), np.ufunc)


def path_of(cls: type) -> str:
    """Module and name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def is_registered(cls: type) -> bool:
    """Whether instances of a class can be saved attribute by attribute."""
    return path_of(cls) in _NAMES


def is_container(cls: type) -> bool:
    """Whether a class is one of scikit-learn's containers of models."""
    return path_of(cls) in _CONTAINERS.values()


def short_name(cls: type) -> str:
    """The name of a registered class in saved models."""
    return _NAMES[path_of(cls)]


def find_class(name: str, path: Path) -> type:
    """The class registered under a name.

    Raises
    ------
    ValueError
        No class has that name. `path` is the folder that holds it, for the message.
    """
    if name not in _PATHS:
        raise ValueError(f"{path} holds a {name!r}, which tabrec {tabrec.__version__} does not know.")
    module_name, _, class_name = _PATHS[name].rpartition(".")
    return getattr(import_module(module_name), class_name)

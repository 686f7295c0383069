"""The registered names of classes in saved models: a class can be moved or renamed without breaking old folders.

A released name never changes its meaning. When a class moves, change its path here; when its attributes change, add an
entry to `older_formats`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import tabrec
from tabrec.saving.folder import UnreadableModel

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
    "float32-map": "tabrec.tables.float32_maps.Float32Map",
    "number-format": "tabrec.tables.text_numbers.NumberFormat",
    "value-counts": "tabrec.tables.numbers.ValueCounts",
    "uniform-sample": "tabrec.tables.numbers.UniformSample",
    "forest-regressor": "tabrec.trees.forest_regressor.ForestRegressor",
    "forest-classifier": "tabrec.trees.forest_classifier.ForestClassifier",
    "boosting-regressor": "tabrec.trees.boosting.BoostingRegressor",
    "boosting-classifier": "tabrec.trees.boosting.BoostingClassifier",
    "tabular-regressor": "tabrec.neural.tabular_regressor.TabularRegressor",
    "tabular-classifier": "tabrec.neural.tabular_classifier.TabularClassifier",
    "ensemble-regressor": "tabrec.ensemble.ensembles.EnsembleRegressor",
    "ensemble-classifier": "tabrec.ensemble.ensembles.EnsembleClassifier",
    "embedding-encoder": "tabrec.neural.embedding_encoder.EmbeddingEncoder",
    "tabular-model": "tabrec.neural.tabular_model.TabularModel",
    "net-ensemble": "tabrec.neural.net_ensemble.NetEnsemble",
    "frame-reader": "tabrec.neural.inputs.FrameReader",
    "target-scaler": "tabrec.neural.inputs.TargetScaler",
    "dot-product-bias": "tabrec.collab.dot_product_bias.DotProductBias",
    "embedding-nn": "tabrec.collab.embedding_nn.EmbeddingNN",
    "bayesian-factorization": "tabrec.collab.bayesian_factorization.BayesianFactorization",
    "ease": "tabrec.collab.ease.EASE",
    "item-knn": "tabrec.collab.item_knn.ItemKNN",
    "popular": "tabrec.collab.popular.Popular",
    "implicit-als": "tabrec.collab.implicit_als.ImplicitALS",
    "bpr": "tabrec.collab.bpr.BPR",
    "blended-recommender": "tabrec.collab.blended_recommender.BlendedRecommender",
    "two-stage-recommender": "tabrec.stages.two_stage_recommender.TwoStageRecommender",
    "two-stage-scorer": "tabrec.stages.two_stage_scorer.TwoStageScorer",
    "leave-last-out": "tabrec.collab.splitters.LeaveLastOut",
    "per-user-split": "tabrec.collab.splitters.PerUserSplit",
    "biased-net": "tabrec.collab.biased_net.BiasedNet",
    "biases": "tabrec.collab.bias_baseline.Biases",
    "dot-product": "tabrec.collab.dot_product_net.DotProduct",
    "row-prior": "tabrec.collab.factors.RowPrior",
    "side-encoder": "tabrec.collab.side_table.SideEncoder",
    "side-table": "tabrec.collab.side_table.SideTable",
    "gibbs-state": "tabrec.collab.gibbs.GibbsState",
    "gibbs-side-state": "tabrec.collab.gibbs.SideState",
    "posterior": "tabrec.collab.posterior.Posterior",
    "posterior-side": "tabrec.collab.posterior.SidePrior",
    "ids": "tabrec.collab.ids.Ids",
    "ratings": "tabrec.collab.interactions.Interactions",
    "rating-side": "tabrec.collab.sides.Side",
    "ratings-reader": "tabrec.collab.reader.RatingsReader",
    "context-encoder": "tabrec.collab.reader.ContextEncoder",
    "rating-scale": "tabrec.collab.net_training.RatingScale",
    "dot-product-scorer": "tabrec.collab.dot_product_scorer.DotProductScorer",
    "embedding-scorer": "tabrec.collab.embedding_scorer.EmbeddingScorer",
    "posterior-scorer": "tabrec.collab.posterior_scorer.PosteriorScorer",
    "ease-scorer": "tabrec.collab.ease.EASEScorer",
    "item-knn-scorer": "tabrec.collab.item_knn.ItemKNNScorer",
    "popular-scorer": "tabrec.collab.popular.PopularScorer",
    "implicit-als-scorer": "tabrec.collab.implicit_als_scorer.ImplicitALSScorer",
    "relevance": "tabrec.collab.relevance.Relevance",
    "bpr-scorer": "tabrec.collab.bpr.BPRScorer",
    "blended-scorer": "tabrec.collab.blended_recommender.BlendedScorer",
}

# Meta-estimators of scikit-learn, and estimators that hold functions, are saved attribute by attribute, because they
# may hold models of this package. skops saves all other estimators.
_CONTAINERS = {
    "pipeline": "sklearn.pipeline.Pipeline",
    "feature-union": "sklearn.pipeline.FeatureUnion",
    "column-transformer": "sklearn.compose._column_transformer.ColumnTransformer",
    "column-selector": "sklearn.compose._column_transformer.make_column_selector",
    "function-transformer": "sklearn.preprocessing._function_transformer.FunctionTransformer",
    "transformed-target-regressor": "sklearn.compose._target.TransformedTargetRegressor",
    "voting-classifier": "sklearn.ensemble._voting.VotingClassifier",
    "voting-regressor": "sklearn.ensemble._voting.VotingRegressor",
    "stacking-classifier": "sklearn.ensemble._stacking.StackingClassifier",
    "stacking-regressor": "sklearn.ensemble._stacking.StackingRegressor",
    "bagging-classifier": "sklearn.ensemble._bagging.BaggingClassifier",
    "bagging-regressor": "sklearn.ensemble._bagging.BaggingRegressor",
    "ada-boost-classifier": "sklearn.ensemble._weight_boosting.AdaBoostClassifier",
    "ada-boost-regressor": "sklearn.ensemble._weight_boosting.AdaBoostRegressor",
    "multi-output-classifier": "sklearn.multioutput.MultiOutputClassifier",
    "multi-output-regressor": "sklearn.multioutput.MultiOutputRegressor",
    "classifier-chain": "sklearn.multioutput.ClassifierChain",
    "regressor-chain": "sklearn.multioutput.RegressorChain",
    "one-vs-one-classifier": "sklearn.multiclass.OneVsOneClassifier",
    "one-vs-rest-classifier": "sklearn.multiclass.OneVsRestClassifier",
    "calibrated-classifier-cv": "sklearn.calibration.CalibratedClassifierCV",
    "calibrated-classifier": "sklearn.calibration._CalibratedClassifier",
    "frozen-estimator": "sklearn.frozen._frozen.FrozenEstimator",
    "fixed-threshold-classifier": "sklearn.model_selection._classification_threshold.FixedThresholdClassifier",
    "tuned-threshold-classifier-cv": "sklearn.model_selection._classification_threshold.TunedThresholdClassifierCV",
    "grid-search-cv": "sklearn.model_selection._search.GridSearchCV",
    "randomized-search-cv": "sklearn.model_selection._search.RandomizedSearchCV",
    "halving-grid-search-cv": "sklearn.model_selection._search_successive_halving.HalvingGridSearchCV",
    "halving-random-search-cv": "sklearn.model_selection._search_successive_halving.HalvingRandomSearchCV",
    "passthrough-scorer": "sklearn.metrics._scorer._PassthroughScorer",
    "multimetric-scorer": "sklearn.metrics._scorer._MultimetricScorer",
    "select-from-model": "sklearn.feature_selection._from_model.SelectFromModel",
    "sequential-feature-selector": "sklearn.feature_selection._sequential.SequentialFeatureSelector",
    "rfe": "sklearn.feature_selection._rfe.RFE",
    "rfecv": "sklearn.feature_selection._rfe.RFECV",
    "self-training-classifier": "sklearn.semi_supervised._self_training.SelfTrainingClassifier",
}

_PATHS = _OURS | _CONTAINERS
_NAMES = {path: name for name, path in _PATHS.items()}

# Types that skops does not trust by default: plain data structures, splitters, kernels and metrics of scikit-learn.
_TRUSTED_PARTS = (
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_",
    "sklearn.feature_selection._mutual_info.mutual_info_",
    "sklearn.gaussian_process.kernels.",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.",
    "sklearn.utils._metadata_requests.",
    "numpy.dtype",
    "scipy.sparse._cs",
    "sklearn.tree._tree.Tree",
    "sklearn.metrics.",
    "sklearn._loss.",
    "_loss.CyHalf",  # the name of the compiled part of a loss in older releases of scikit-learn
)


def untrusted(names: list[str]) -> list[str]:
    """Filter the types reported by skops: return those that a saved model must not hold."""
    return [name for name in names if not name.startswith(_TRUSTED_PARTS) and not _names_numpy_function(name)]


def _names_numpy_function(name: str) -> bool:
    """Return True for a numpy function such as ``numpy.log``, in any module of numpy."""
    module, _, function = name.rpartition(".")
    return module.split(".")[0] == "numpy" and is_numpy_function(getattr(np, function, None))


def is_numpy_function(value: Any) -> bool:
    """Return whether a value is a function of numpy that computes numbers from numbers and does nothing else."""
    if not callable(value):
        return False
    return isinstance(value, np.ufunc) or value in (np.clip, np.mean, np.median, np.nan_to_num, np.round)


def path_of(cls: Any) -> str:
    """Return the full name of a class or function, with its module."""
    return f"{cls.__module__}.{cls.__qualname__}"


def is_registered(cls: type) -> bool:
    """Return whether instances of a class can be saved attribute by attribute."""
    return path_of(cls) in _NAMES


def short_name(cls: type) -> str:
    """Return the name of a registered class in saved models."""
    return _NAMES[path_of(cls)]


def find_class(name: str, path: Path) -> type:
    """Return the class registered under a name.

    Raises
    ------
    UnreadableModel
        No class has that name. `path` is the folder that holds it, for the message.
    """
    if name not in _PATHS:
        raise UnreadableModel(f"{path} holds a {name!r}, which tabrec {tabrec.__version__} does not know.")
    module_name, _, class_name = _PATHS[name].rpartition(".")
    return getattr(import_module(module_name), class_name)

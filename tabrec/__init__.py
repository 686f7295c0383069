"""tabrec: tabular and recommender modelling with a scikit-learn API.

The public names are imported when first used: ``import tabrec`` loads neither torch nor matplotlib.
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_MODULES = {
    "tabrec.preprocess": [
        "Categorify",
        "DateParts",
        "ElapsedSince",
        "FillMissing",
        "Normalize",
        "TabularPreprocessor",
        "TimeSplit",
        "column_kinds",
        "cont_cat_split",
        "shrink_dtypes",
        "split_by_time",
    ],
    "tabrec.trees": ["BoostingClassifier", "BoostingRegressor", "ForestClassifier", "ForestRegressor"],
    "tabrec.collab": [
        "BPR",
        "EASE",
        "BayesianFactorization",
        "BlendedRecommender",
        "DotProductBias",
        "EmbeddingNN",
        "ImplicitALS",
        "ItemKNN",
        "Popular",
    ],
    "tabrec.neural": [
        "EmbeddingEncoder",
        "TabularClassifier",
        "TabularModel",
        "TabularRegressor",
        "find_learning_rate",
    ],
    "tabrec.ensemble": ["EnsembleClassifier", "EnsembleRegressor", "compare_models", "tune"],
    "tabrec.runs": ["model_card"],
    "tabrec.stages": ["TwoStageRecommender"],
    "tabrec.saving": ["load", "save"],
    "tabrec.tables.versions": ["show_versions"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["datasets", *sorted(_MODULE_OF)]


def __getattr__(name: str) -> Any:
    if name == "datasets":
        return import_module("tabrec.datasets")
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'tabrec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

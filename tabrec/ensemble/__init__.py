"""Models of different kinds, combined, compared and tuned."""

from tabrec.ensemble.comparison import ModelComparison, compare_models
from tabrec.ensemble.ensembles import EnsembleClassifier, EnsembleRegressor
from tabrec.ensemble.search_spaces import search_space
from tabrec.ensemble.tuning import Tuning, tune

__all__ = [
    "EnsembleClassifier",
    "EnsembleRegressor",
    "ModelComparison",
    "Tuning",
    "compare_models",
    "search_space",
    "tune",
]

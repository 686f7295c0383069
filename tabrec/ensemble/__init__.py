"""Models of different kinds, combined and compared."""

from tabrec.ensemble.comparison import ModelComparison, compare_models
from tabrec.ensemble.ensembles import EnsembleClassifier, EnsembleRegressor

__all__ = ["EnsembleClassifier", "EnsembleRegressor", "ModelComparison", "compare_models"]

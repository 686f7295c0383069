"""Nets with embeddings over encoded frames, and the one training loop."""

from tabrec.neural.tabular_classifier import TabularClassifier
from tabrec.neural.tabular_model import TabularModel
from tabrec.neural.tabular_regressor import TabularRegressor

__all__ = ["TabularClassifier", "TabularModel", "TabularRegressor"]

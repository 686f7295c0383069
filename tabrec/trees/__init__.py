"""Random forests and gradient boosting for raw frames."""

from tabrec.trees.boosting import BoostingClassifier, BoostingRegressor
from tabrec.trees.forest_classifier import ForestClassifier
from tabrec.trees.forest_regressor import ForestRegressor

__all__ = ["BoostingClassifier", "BoostingRegressor", "ForestClassifier", "ForestRegressor"]

"""Random forests and gradient boosting for raw frames."""

from tabrec.trees.boosting import BoostingClassifier, BoostingRegressor
from tabrec.trees.forest import ForestClassifier, ForestRegressor

__all__ = ["BoostingClassifier", "BoostingRegressor", "ForestClassifier", "ForestRegressor"]

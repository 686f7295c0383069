"""Nets with embeddings for encoded frames, and their training loop, which recommenders share."""

from tabrec.neural.embedding_encoder import EmbeddingEncoder
from tabrec.neural.learning_rate import find_learning_rate
from tabrec.neural.net_ensemble import NetEnsemble
from tabrec.neural.plots import plot_history
from tabrec.neural.tabular_classifier import TabularClassifier
from tabrec.neural.tabular_model import TabularModel
from tabrec.neural.tabular_regressor import TabularRegressor
from tabrec.neural.training import Trainer

__all__ = [
    "EmbeddingEncoder",
    "NetEnsemble",
    "TabularClassifier",
    "TabularModel",
    "TabularRegressor",
    "Trainer",
    "find_learning_rate",
    "plot_history",
]

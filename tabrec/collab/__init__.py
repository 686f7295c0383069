"""Recommenders: ratings in; predicted ratings, recommendations and reasons out."""

from tabrec.collab.bayesian_factorization import BayesianFactorization
from tabrec.collab.crosstab import crosstab, plot_crosstab
from tabrec.collab.cv_scorers import make_ranking_scorer, per_user_rmse, per_user_rmse_scorer
from tabrec.collab.dot_product_bias import DotProductBias
from tabrec.collab.embedding_nn import EmbeddingNN
from tabrec.collab.evaluation import evaluate
from tabrec.collab.interactions import Interactions, Pairs
from tabrec.collab.metrics import (
    coverage,
    gini,
    hit_rate,
    map_at_k,
    mrr,
    ndcg_at_k,
    novelty,
    precision_at_k,
    rank_metrics,
    recall_at_k,
)
from tabrec.collab.recommender import Explanation, Recommender
from tabrec.collab.scorer import Scorer
from tabrec.collab.splitters import LeaveLastOut, PerUserSplit

__all__ = [
    "BayesianFactorization",
    "DotProductBias",
    "EmbeddingNN",
    "Explanation",
    "Interactions",
    "LeaveLastOut",
    "Pairs",
    "PerUserSplit",
    "Recommender",
    "Scorer",
    "coverage",
    "crosstab",
    "evaluate",
    "gini",
    "hit_rate",
    "make_ranking_scorer",
    "map_at_k",
    "mrr",
    "ndcg_at_k",
    "novelty",
    "per_user_rmse",
    "per_user_rmse_scorer",
    "plot_crosstab",
    "precision_at_k",
    "rank_metrics",
    "recall_at_k",
]

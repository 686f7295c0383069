"""Recommenders that learn from ratings or interactions."""

from tabrec.collab.bayesian_factorization import BayesianFactorization
from tabrec.collab.blended_recommender import BlendedRecommender
from tabrec.collab.bpr import BPR
from tabrec.collab.comparison import RecommenderComparison
from tabrec.collab.crosstab import crosstab, plot_crosstab
from tabrec.collab.cv_scorers import make_ranking_scorer, per_user_rmse, per_user_rmse_scorer
from tabrec.collab.dot_product_bias import DotProductBias
from tabrec.collab.ease import EASE
from tabrec.collab.embedding_nn import EmbeddingNN
from tabrec.collab.evaluation import evaluate
from tabrec.collab.explanation import Explanation
from tabrec.collab.implicit_als import ImplicitALS
from tabrec.collab.interactions import Interactions, Pairs
from tabrec.collab.item_knn import ItemKNN
from tabrec.collab.leaderboard import compare_recommenders
from tabrec.collab.metrics import (
    coverage,
    gini,
    hit_rate,
    intra_list_diversity,
    map_at_k,
    mrr,
    ndcg_at_k,
    novelty,
    popularity_bias,
    precision_at_k,
    rank_metrics,
    recall_at_k,
    serendipity,
)
from tabrec.collab.popular import Popular
from tabrec.collab.ranking_recommender import RankingRecommender
from tabrec.collab.rating_recommender import RatingRecommender
from tabrec.collab.recommender import Recommender
from tabrec.collab.scorer import Scorer
from tabrec.collab.splitters import LeaveLastOut, PerUserSplit

__all__ = [
    "BPR",
    "EASE",
    "BayesianFactorization",
    "BlendedRecommender",
    "DotProductBias",
    "EmbeddingNN",
    "Explanation",
    "ImplicitALS",
    "Interactions",
    "ItemKNN",
    "LeaveLastOut",
    "Pairs",
    "PerUserSplit",
    "Popular",
    "RankingRecommender",
    "RatingRecommender",
    "Recommender",
    "RecommenderComparison",
    "Scorer",
    "compare_recommenders",
    "coverage",
    "crosstab",
    "evaluate",
    "gini",
    "hit_rate",
    "intra_list_diversity",
    "make_ranking_scorer",
    "map_at_k",
    "mrr",
    "ndcg_at_k",
    "novelty",
    "per_user_rmse",
    "per_user_rmse_scorer",
    "plot_crosstab",
    "popularity_bias",
    "precision_at_k",
    "rank_metrics",
    "recall_at_k",
    "serendipity",
]

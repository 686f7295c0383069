"""Runs: a table, ratings or interactions become a scored model in a folder, and the folder predictions and a report."""

from tabrec.runs.card import model_card
from tabrec.runs.chunk_training import train_on_chunks
from tabrec.runs.column_plan import plan_columns
from tabrec.runs.interaction_files import read_interactions
from tabrec.runs.ranking_run import RankingRun, rank
from tabrec.runs.rating_run import RatingRun, rate, read_ratings
from tabrec.runs.recommender_run import RecommenderRun
from tabrec.runs.run import Run
from tabrec.runs.table_run import TableRun
from tabrec.runs.training import train

__all__ = [
    "RankingRun",
    "RatingRun",
    "RecommenderRun",
    "Run",
    "TableRun",
    "model_card",
    "plan_columns",
    "rank",
    "rate",
    "read_interactions",
    "read_ratings",
    "train",
    "train_on_chunks",
]

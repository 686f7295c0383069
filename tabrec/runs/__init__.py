"""Runs: a table or ratings become a scored model in a folder, and the folder becomes predictions and a report."""

from tabrec.runs.card import model_card
from tabrec.runs.column_plan import plan_columns
from tabrec.runs.rating_run import RatingRun, rate, read_ratings
from tabrec.runs.run import Run
from tabrec.runs.table_run import TableRun
from tabrec.runs.training import train

__all__ = ["RatingRun", "Run", "TableRun", "model_card", "plan_columns", "rate", "read_ratings", "train"]

"""Recommenders and models of tables combined: candidates from the ones, ranked by the other."""

from tabrec.stages.two_stage_recommender import TwoStageRecommender

__all__ = ["TwoStageRecommender"]

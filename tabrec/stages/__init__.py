"""Two-stage recommenders: candidates of recommenders, ranked by a model of tables."""

from tabrec.stages.two_stage_recommender import TwoStageRecommender

__all__ = ["TwoStageRecommender"]

"""Contract tests for recommenders, your own included."""

from tabrec.testing.recommender_checks import (
    check_recommender,
    parametrize_with_recommender_checks,
    recommender_checks,
)

__all__ = ["check_recommender", "parametrize_with_recommender_checks", "recommender_checks"]

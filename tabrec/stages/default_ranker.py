"""`make_default_ranker`: the default ranker of the second stage."""

from __future__ import annotations

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tabrec.trees import BoostingClassifier


def make_default_ranker(seed: int) -> VotingClassifier:
    """Return an average of logistic regression and boosting.

    Logistic regression ranks best if scores and ranks are sufficient. Boosting learns interactions with features of
    users and context, which are the same for all candidates of a list.
    """
    labels = make_column_selector(dtype_include="category")
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), labels), remainder=StandardScaler())
    linear = make_pipeline(columns, LogisticRegression(C=0.01, max_iter=1000))
    boosting = BoostingClassifier(
        learning_rate=0.08, max_iter=80, max_leaf_nodes=15, min_samples_leaf=300, random_state=seed
    )
    return VotingClassifier([("linear", linear), ("boosting", boosting)], voting="soft")

"""The page of a recommender of interactions: scores beside popularity, coverage, users with reasons."""

import pandas as pd
import pytest

from tabrec import BPR, EASE
from tabrec.datasets import make_interactions
from tabrec.interpret import report
from tabrec.interpret.page.report_page import NOT_SHOWN

CLICKS = make_interactions(2_500, n_users=100, n_items=110, random_state=0)[["user", "item"]]
TRAIN, TEST = CLICKS[::2], CLICKS[1::2]


@pytest.fixture(scope="module")
def model():
    return EASE().fit(TRAIN)


def scores(own, popular, error=0.01):
    table = {"ndcg": [own, popular], "ndcg_se": [error, error]}
    return pd.DataFrame(table, index=["EASE", "Popular"])


def test_the_page_has_sections_of_its_own(model):
    page = report(model, TRAIN, X_valid=TEST).html
    places = [page.index(f">{title}</h2>") for title in ("Scores", "Interactions", "Coverage", "Example users")]
    assert places == sorted(places)
    assert NOT_SHOWN not in page
    assert "most popular" in page
    assert "There are no scores" in report(model).html


def test_users_are_shown_with_their_items_and_the_reasons(model, empty_figures):
    page = report(model).html
    counts = model.user_counts_.sort_values(kind="stable")
    user = counts.index[len(counts) // 2]
    assert f"user {user}, who has a median number of interactions ({counts[user]})" in page
    best = model.recommend([user], 1)["item"].iloc[0]
    first, second = model.explain(user, best).ratings["item"].head(2)
    assert f"{first}, {second}" in page


@pytest.mark.parametrize(
    ("own", "popular", "kinds"),
    [(0.1, 0.2, ["popular items rank better"]), (0.21, 0.2, ["not clearly better than popularity"]), (0.3, 0.2, [])],
    ids=["worse", "unclear", "better"],
)
def test_findings_compare_with_popularity(empty_figures, model, own, popular, kinds):
    found = report(model, scores=scores(own, popular)).findings
    assert [finding.kind for finding in found if "popular" in finding.kind] == kinds


def test_models_without_reasons_are_shown_too():
    page = report(BPR(4, epochs=1, random_state=0).fit(TRAIN)).html
    assert NOT_SHOWN not in page

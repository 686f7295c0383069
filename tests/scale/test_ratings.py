"""Recommenders fitted to interactions in files are those of the table in memory."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from tabrec import EASE, BayesianFactorization, DotProductBias, ImplicitALS, ItemKNN, Popular
from tabrec.datasets import make_interactions, make_ratings
from tabrec.scale import FileChunks, FrameChunks

CLICKS = make_interactions(2_000, random_state=0)
RATINGS = make_ratings(1_500, random_state=0)
TEXT = CLICKS.assign(user="u" + CLICKS["user"].astype(str), item="i" + CLICKS["item"].astype(str))


def write(folder, table, suffix="parquet"):
    for position, start in enumerate(range(0, len(table), 700)):
        part, path = table[start : start + 700], folder / f"{position}.{suffix}"
        part.to_parquet(path, index=False) if suffix == "parquet" else part.to_csv(path, index=False)
    return FileChunks(folder, chunk_rows=333)


MODELS = [
    EASE(ridge=50.0),
    ImplicitALS(n_factors=4, n_iterations=3, random_state=0),
    ItemKNN(),
    Popular(),
]


@pytest.mark.parametrize("table", [CLICKS, TEXT], ids=["numbers", "text"])
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("model", MODELS)
def test_rankings_are_those_of_the_table(tmp_path, table, suffix, model):
    whole = clone(model).fit(table[["user", "item"]])
    chunked = clone(model).fit(write(tmp_path, table[["user", "item"]], suffix))
    assert whole.users_.equals(chunked.users_)
    users = whole.users_[:50]
    pd.testing.assert_frame_equal(whole.recommend(users, 5), chunked.recommend(users, 5), check_exact=True)
    assert whole.feature_names_in_.tolist() == chunked.feature_names_in_.tolist()


@pytest.mark.parametrize(
    "model",
    [
        BayesianFactorization(n_factors=2, n_samples=4, n_burn_in=2, random_state=0),
        DotProductBias(n_factors=3, epochs=2, random_state=0, device="cpu"),
    ],
)
def test_ratings_are_those_of_the_table(tmp_path, model):
    pairs = RATINGS[["user", "item"]]
    whole = clone(model).fit(pairs, RATINGS["rating"])
    chunks = write(tmp_path, RATINGS[["user", "item", "rating"]])
    chunked = clone(model).fit(chunks, "rating")
    assert np.array_equal(whole.predict(pairs), chunked.predict(pairs))
    assert np.array_equal(whole.predict(pairs), chunked.predict(chunks).head(9_999)["prediction"])


def test_strengths_and_times_are_read_from_their_columns(tmp_path):
    table = CLICKS.assign(when=pd.date_range("2020-01-01", periods=len(CLICKS), freq="h"), plays=1 + CLICKS.index % 5)
    popular = Popular(half_life=10.0, time="when")
    whole = popular.fit(table.drop(columns="plays"), table["plays"]).recommend(CLICKS["user"][0], 5)
    chunked = clone(popular).fit(write(tmp_path, table), "plays").recommend(CLICKS["user"][0], 5)
    pd.testing.assert_frame_equal(whole, chunked)


def test_rows_without_an_id_are_left_out_with_a_warning():
    table = pd.DataFrame({"user": [1.0, 2.0, None, 2.0], "item": ["a", "b", "a", "a"]})
    with pytest.warns(UserWarning, match="1 of 4 ratings have no user or no item"):
        model = ItemKNN().fit(FrameChunks([table[:2], table[2:]]))
    assert model.users_.tolist() == [1, 2]


def test_mistakes_are_named(monkeypatch):
    chunks = FrameChunks([CLICKS[:500], CLICKS[500:]])
    with pytest.raises(ValueError, match="no column 'rating' for the target"):
        EASE().fit(chunks, "rating")
    with pytest.raises(ValueError, match="no column 'visitor' for the ids"):
        EASE(user="visitor").fit(chunks)
    with pytest.raises(ValueError, match="takes sample_weight with tables in memory only"):
        EASE().fit(chunks, sample_weight=np.ones(len(CLICKS)))
    monkeypatch.setattr("tabrec.scale.ratings.physical_memory", lambda: 10_000)
    with pytest.raises(MemoryError, match=r"A recommender of 2,000 interactions needs"):
        EASE().fit(chunks)

"""Recommenders fitted to interactions in files are those of the table in memory."""

import errno
import os

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import tabrec
from tabrec import EASE, BayesianFactorization, DotProductBias, ImplicitALS, ItemKNN, Popular
from tabrec.collab import row_blocks
from tabrec.datasets import make_interactions, make_ratings
from tabrec.scale import FileChunks, FrameChunks
from tabrec.tables import mapped_arrays
from tabrec.tables.mapped_arrays import is_mapped

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


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few interactions, in memory and in files alike."""
    for module in ("tabrec.collab.row_blocks", "tabrec.scale.coded_interactions"):
        monkeypatch.setattr(f"{module}.BLOCK", 97)
    for function in (row_blocks.row_blocks, mapped_arrays.blocks):
        monkeypatch.setattr(function, "__defaults__", (97,))
    monkeypatch.setattr(row_blocks.transpose, "__defaults__", (150,))


@pytest.mark.parametrize("model", MODELS[:2])
@pytest.mark.parametrize("y", [None, "plays"])
def test_interactions_in_temporary_files_give_the_model_of_the_table(small_blocks, tmp_path, model, y):
    table = TEXT.assign(plays=1.0 + np.arange(len(TEXT)) % 5)
    table = pd.concat([table, table[:200]])[["user", "item", *([] if y is None else [y])]]
    whole = clone(model).fit(table[["user", "item"]], None if y is None else table[y])
    chunked = clone(model).fit(FrameChunks([table[:700], table[700:]], memory=1), y)
    assert is_mapped(chunked._reader.ratings.items)
    assert not is_mapped(whole._reader.ratings.items)
    pairs = table[["user", "item"]]
    np.testing.assert_array_equal(chunked.predict(pairs), whole.predict(pairs))
    users = whole.users_
    pd.testing.assert_frame_equal(chunked.recommend(users, 5), whole.recommend(users, 5), check_exact=True)
    pd.testing.assert_frame_equal(chunked.ratings_, whole.ratings_)
    assert chunked.item_counts_.equals(whole.item_counts_)
    tabrec.save(chunked, tmp_path / "model")
    np.testing.assert_array_equal(tabrec.load(tmp_path / "model").predict(pairs), whole.predict(pairs))
    more = pd.DataFrame({"user": ["u1", "new"], "item": ["i3", "i4"]})
    for recommender in (whole, chunked):
        recommender.partial_fit(more, None if y is None else [2.0, 3.0])
    np.testing.assert_array_equal(chunked.predict(pairs), whole.predict(pairs))


def test_rows_without_an_id_are_left_out_of_temporary_files():
    table = pd.DataFrame({"user": [1.0, 2.0, None, 2.0, 9.0], "item": ["a", "b", "only here", "a", None]})
    with pytest.warns(UserWarning, match=r"2 of 5 ratings have no user or no item .* is in row 2"):
        model = EASE(ridge=1.0).fit(FrameChunks([table[:2], table[2:]], memory=1))
    assert model.users_.tolist() == [1, 2]
    assert model.items_.tolist() == ["a", "b"]
    with (
        pytest.raises(ValueError, match="No row has both the id of a user and that of an item"),
    ):
        EASE().fit(FrameChunks([table[2:3]], memory=1))


def test_a_full_disk_is_an_error_of_the_fit(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    model = EASE()
    with pytest.raises(OSError, match="No space left on device"):
        model.fit(FrameChunks([CLICKS[["user", "item"]]], memory=1))
    assert not hasattr(model, "users_")

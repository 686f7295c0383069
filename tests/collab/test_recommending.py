"""`recommend`: unknown candidates, excluded pairs, users with nothing left."""

import warnings

import numpy as np
import pandas as pd
import polars
import pytest

from tabrec import ItemKNN

# Every user takes the items of their parity among 0..5, and item 6; user 2 has everything.
CLICKS = pd.DataFrame(
    [(u, i) for u in range(6) for i in range(6) if u % 2 == i % 2 and i != u] + [(2, i) for i in range(7)],
    columns=["who", "what"],
)


@pytest.fixture(scope="module")
def model():
    return ItemKNN().fit(CLICKS.drop_duplicates())


def items_of(recommended):
    return recommended["item"].tolist()


def test_an_unknown_candidate_is_left_out_with_a_warning_or_refused(model):
    known = items_of(model.recommend(0, 3, candidates=[0, 1, 5]))
    with pytest.warns(UserWarning, match=r"1 of 4 candidates are not known to the model .*: 777\."):
        assert items_of(model.recommend(0, 3, candidates=[1, 777, 5, 0])) == known
    with pytest.raises(ValueError, match="what 777 is not known"):
        model.recommend(0, candidates=[1, 777], unknown="raise")
    with pytest.raises(ValueError, match="what 777 is not known"):
        model.recommend(0, candidates=[777, 778])
    with pytest.raises(ValueError, match="'unknown' parameter of .*recommend must be a str among"):
        model.recommend(0, unknown="skip")


def test_a_user_with_nothing_left_is_named(model):
    with pytest.warns(UserWarning, match=r"1 of 2 users have no items left to recommend: 2\..*exclude_seen=False"):
        assert set(model.recommend([2, 1], 3)["user"]) == {1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(model.recommend([2, 1], 3, exclude_seen=False)) == 6
        assert len(model.recommend([])) == 0


@pytest.mark.parametrize("names", [["who", "what"], ["user", "item"], ["a", "b"]])
def test_excluded_pairs_are_not_recommended_to_their_user_alone(model, names):
    first = items_of(model.recommend(0, 2))
    other = model.recommend([1, 999], 7)
    pairs = pd.DataFrame([(0, first[0]), (0, 888), (5, 1)], columns=names)
    found = model.recommend([0, 1, 999], 7, exclude=pairs)
    assert items_of(found[found["user"] == 0])[0] == first[1]
    pd.testing.assert_frame_equal(found[found["user"] != 0].reset_index(drop=True), other)
    unknown = pd.DataFrame([(999, item) for item in range(6)], columns=names)
    assert items_of(model.recommend(999, 9, exclude=polars.from_pandas(unknown))) == [6]


def test_what_cannot_be_excluded_is_refused(model):
    with pytest.raises(ValueError, match="must have 'who' and 'what'"):
        model.recommend(0, exclude=pd.DataFrame({"a": [1], "b": [1], "c": [1]}))
    with pytest.raises(ValueError, match="same type"):
        model.recommend(0, exclude=pd.DataFrame({"who": ["0"], "what": [1]}))


def test_items_without_ratings_are_recommended_by_their_features_on_demand():
    features = pd.DataFrame({"parity": np.arange(9) % 2}, index=range(9))
    model = ItemKNN(item_features=features).fit(CLICKS.drop_duplicates())
    assert set(items_of(model.recommend(1, 20, exclude_seen=False))) == set(range(7))
    assert set(items_of(model.recommend(1, 20, exclude_seen=False, include_cold=True))) == set(range(9))
    with pytest.raises(ValueError, match="include_cold=True .* fit with item_features"):
        ItemKNN().fit(CLICKS).recommend(1, include_cold=True)

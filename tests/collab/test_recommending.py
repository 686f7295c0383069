"""`recommend`: unknown candidates, excluded pairs, users with nothing left."""

import warnings

import numpy as np
import pandas as pd
import polars
import pyarrow.parquet as pq
import pytest

from tabrec import ImplicitALS, ItemKNN, Popular
from tabrec.collab import RatingRecommender, Scorer

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
    for items in ([1, 2], pd.Series([1, 2])):
        with pytest.raises(TypeError, match="exclude must be a table of pairs, with the columns 'who' and 'what'"):
            model.recommend(0, exclude=items)
    with pytest.raises(ValueError, match="same type"):
        model.recommend(0, exclude=pd.DataFrame({"who": ["0"], "what": [1]}))


def is_barred(pairs):
    """Whether the sum of user and item is a multiple of 3."""
    return (pairs["who"] + pairs["what"]) % 3 == 0


def test_a_rule_excludes_the_pairs_for_which_it_is_true():
    asked = [1, 4, 5, 999, 1]
    pairs = pd.DataFrame([(u, i) for u in asked for i in range(9)], columns=["who", "what"])
    model = ItemKNN(item_features=pd.DataFrame({"half": np.arange(9) // 4})).fit(CLICKS.drop_duplicates())
    barred = pairs[is_barred(pairs)].drop_duplicates()
    for options in (
        {},
        {"exclude_seen": False},
        {"candidates": [0, 1, 2, 6]},
        {"candidates": pairs.iloc[::2]},
        {"candidates": [0, 1], "fill": True},
        {"diversity": 0.5},
        {"diversity": {"half": 1}},
        {"include_cold": True},
    ):
        for n in (1, 9):
            found = model.recommend(asked, n, exclude=is_barred, **options)
            pd.testing.assert_frame_equal(found, model.recommend(asked, n, exclude=barred, **options))


def test_a_rule_is_asked_about_the_best_items_alone():
    clicks = pd.DataFrame([(u, i) for u in range(200) for i in range(200 - u)], columns=["user", "item"])
    popular, asked = Popular().fit(clicks), []

    def rule(pairs):
        asked.append(pairs)
        return pairs["item"] < 20

    found = popular.recommend([998, 999], 2, exclude=rule)
    assert found["item"].tolist() == [20, 21] * 2
    assert pd.concat(asked)["item"].max() < 10 + 2 * 4**2
    assert pd.concat(asked)["user"].unique().tolist() == [998, 999]
    with pytest.warns(UserWarning, match="2 of 2 users have no items left"):
        assert popular.recommend([998, 999], exclude=lambda pairs: np.ones(len(pairs), bool)).empty


@pytest.mark.parametrize(
    "answer",
    [
        lambda pairs: pairs["what"] > 3,
        lambda pairs: (pairs["what"] > 3).tolist(),
        lambda pairs: (pairs["what"] > 3).to_numpy(),
        lambda pairs: (pairs["what"] > 3).astype("boolean"),
        lambda pairs: (pairs["what"] > 3).astype(object),
        lambda pairs: polars.from_pandas(pairs)["what"] > 3,
        lambda pairs: pairs.set_index("what").index > 3,
    ],
)
def test_a_rule_may_return_booleans_of_any_kind(model, answer):
    assert items_of(model.recommend(999, exclude=answer)) == [1, 2, 3, 0]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda pairs: pairs["user"] == 3, r"failed on a table of pairs with the columns \['who', 'what'\]: KeyError"),
        (lambda pairs: None, r"must return a boolean for each of the 2 pairs .* Got NoneType of shape \(\)"),
        (lambda pairs: True, "Got bool of shape"),
        (lambda pairs: pairs["what"], "Got Series of shape .* dtype int64"),
        (lambda pairs: (pairs["what"] > 3).where(pairs["what"] > 3), "without gaps. Got Series"),
        (lambda pairs: pairs[["what"]] > 3, r"Got DataFrame of shape \(2, 1\)"),
        (lambda pairs: (pairs["what"] > 3).head(1), r"of shape \(1,\)"),
        (lambda pairs: (pairs["what"] > 3)[::-1], "of the pairs in another order"),
    ],
)
def test_a_rule_that_does_not_return_booleans_is_refused(model, rule, message):
    with pytest.raises(ValueError, match=message):
        model.recommend(999, 2, exclude=rule)


def test_items_without_ratings_are_recommended_by_their_features_on_demand():
    features = pd.DataFrame({"parity": np.arange(9) % 2}, index=range(9))
    model = ItemKNN(item_features=features).fit(CLICKS.drop_duplicates())
    assert set(items_of(model.recommend(1, 20, exclude_seen=False))) == set(range(7))
    assert set(items_of(model.recommend(1, 20, exclude_seen=False, include_cold=True))) == set(range(9))
    with pytest.raises(ValueError, match="include_cold=True .* fit with item_features"):
        ItemKNN().fit(CLICKS).recommend(1, include_cold=True)


def test_candidates_of_each_user(model):
    pairs = pd.DataFrame([(0, 5), (0, 1), (1, 4), (1, 888), (7, 2)], columns=["who", "what"])
    with pytest.warns(UserWarning, match="1 of 5 candidates are not known"):
        found = model.recommend([0, 1, 7], 3, candidates=pairs)
    assert found.groupby("user")["item"].agg(set).to_dict() == {0: {1, 5}, 1: {4}, 7: {2}}
    with pytest.raises(ValueError, match="candidates has the columns"):
        model.recommend([0], candidates=pairs.assign(a=1, who2=1)[["a", "what", "who2"]])


def test_short_lists_are_filled_with_other_items_and_then_with_seen_ones(model):
    seen = CLICKS.groupby("who")["what"].agg(set)
    pairs = pd.DataFrame([(1, 0)], columns=["who", "what"])
    found = model.recommend([0, 1, 2], 4, candidates=[1, 3], exclude=pairs, fill=True)
    assert found.groupby("user")["rank"].agg(list).tolist() == [[1, 2, 3, 4]] * 3
    items = found.groupby("user")["item"].agg(list)
    assert set(items[0][:2]) == {1, 3}
    assert not set(items[0]) & seen[0]
    assert 0 not in items[1]
    assert not found.duplicated(["user", "item"]).any()
    assert len(model.recommend([2], 9, fill=True)) == 7
    pd.testing.assert_frame_equal(model.recommend([0], 3, fill=True), model.recommend([0], 3))


def test_maximal_marginal_relevance_by_hand():
    # Items 0 and 1 have the same users, item 2 others.
    clicks = pd.DataFrame([(u, i) for u in range(6) for i in ((0, 1) if u < 4 else (2,))], columns=["user", "item"])
    popular = Popular().fit(clicks)
    assert items_of(popular.recommend(99, 3)) == [0, 1, 2]
    assert items_of(popular.recommend(99, 3, diversity=0.6)) == [0, 2, 1]
    pd.testing.assert_frame_equal(popular.recommend(99, 3, diversity=0), popular.recommend(99, 3))
    factors = ImplicitALS(2, random_state=0).fit(clicks)
    assert items_of(factors.recommend(99, 2, diversity=0.9)) == [0, 2]
    for weight in (1.5, -0.1):
        with pytest.raises(ValueError, match="must be between 0 and 1"):
            popular.recommend(99, diversity=weight)


def test_categories_are_capped():
    clicks = pd.DataFrame([(u, i) for u in range(300) for i in range(300 - u)], columns=["user", "item"])
    genre = ["war"] * 250 + ["drama"] * 30 + [None] * 20
    model = Popular(item_features=pd.DataFrame({"genre": genre, "year": range(300)})).fit(clicks)
    found = items_of(model.recommend(999, 5, diversity={"genre": 2}))
    assert found == [0, 1, 250, 251, 280]
    assert items_of(model.recommend(999, 3, diversity={"genre": 1, "year": 1})) == [0, 250, 280]
    for caps in ({"genre": 0}, {}, {"genre": 1.5}):
        with pytest.raises(ValueError, match="whole numbers of at least 1"):
            model.recommend(999, diversity=caps)
    with pytest.raises(ValueError, match="town"):
        model.recommend(999, diversity={"town": 1})
    with pytest.raises(ValueError, match="item_features, which is None"):
        Popular().fit(clicks).recommend(999, diversity={"genre": 1})


class DeviceScorer(Scorer):
    """Rates items of odd codes 5 at the desk (code 1), and others 5 on the phone (code 2)."""

    def fit(self, data, context=None):
        self.data = data

    def score(self, pairs):
        labels = self.data.context.unknown(len(pairs.items))[0] if pairs.context is None else pairs.context[0]
        return np.where(pairs.items % 2 == labels[:, 0] % 2, 5.0, 1.0)


class DeviceRecommender(RatingRecommender):
    def __init__(self, *, user=None, item=None, user_features=None, item_features=None, context=("device",)):
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
        self.context = context

    def _make_scorer(self):
        return DeviceScorer(self.get_params(deep=False))


def test_the_context_of_each_user_counts():
    user, item = (codes.ravel() for codes in np.mgrid[:6, :10])
    X = pd.DataFrame({"user": user, "item": item, "device": np.where(user % 2, "phone", "desk")})
    model = DeviceRecommender().fit(X, item % 5 + 1.0)
    asked = pd.DataFrame({"device": ["phone", "desk"]})
    found = model.recommend([3, 3], 5, exclude_seen=False, order="rating", context=asked)
    assert (found["item"] % 2).tolist() == [1] * 5 + [0] * 5
    assert (found["score"] == 5).all()
    best = model.recommend([3, 4], 1, exclude_seen=False, context=asked)
    assert (best["item"] % 2).tolist() == [1, 0]
    assert (best["score"] == 5).all()
    one = model.recommend([3, 4], 1, exclude_seen=False, order="rating", context=asked.head(1))
    assert (one["item"] % 2 == 1).all()
    with pytest.raises(ValueError, match="context lacks the columns"):
        model.recommend(3, context=pd.DataFrame({"place": ["home"]}))
    with pytest.raises(ValueError, match="must have one for each of 2 users"):
        model.recommend([3, 4], context=pd.DataFrame({"device": ["desk"] * 3}))
    with pytest.raises(ValueError, match="Popular has none"):
        Popular().fit(CLICKS).recommend(3, context=pd.DataFrame({"device": ["desk"]}))


def test_all_users_are_written_in_parts(model, tmp_path, monkeypatch):
    monkeypatch.setattr("tabrec.collab.exports._USERS", 2)
    with pytest.warns(UserWarning, match="no items left"):
        path = model.recommend_all(tmp_path / "all.parquet", 3)
    expected = model.recommend([u for u in model.users_ if u != 2], 3)
    pd.testing.assert_frame_equal(pd.read_parquet(path), expected)
    assert pq.ParquetFile(path).num_row_groups == 3
    with pytest.raises(FileExistsError):
        model.recommend_all(path)
    model.recommend_all(path, 3, users=[0, 1, 5], overwrite=True, exclude=is_barred)
    pd.testing.assert_frame_equal(pd.read_parquet(path), model.recommend([0, 1, 5], 3, exclude=is_barred))
    model.recommend_all(path, 1, users=[5, 999], overwrite=True, exclude_seen=False)
    pd.testing.assert_frame_equal(pd.read_parquet(path), model.recommend([5, 999], 1, exclude_seen=False))
    with pytest.raises(ValueError, match="recommend_all takes no context"):
        model.recommend_all(tmp_path / "other.parquet", context=pd.DataFrame({"device": ["desk"]}))
    assert not (tmp_path / "other.parquet").exists()


@pytest.mark.parametrize("no_pairs", [[], CLICKS[:0], polars.DataFrame({"who": [], "what": []})])
def test_a_table_without_pairs_excludes_nothing_and_offers_nothing(model, no_pairs):
    pd.testing.assert_frame_equal(model.recommend([0, 1], 3, exclude=no_pairs), model.recommend([0, 1], 3))
    with pytest.warns(UserWarning, match="2 of 2 users have no items left"):
        assert model.recommend([0, 1], candidates=no_pairs).empty

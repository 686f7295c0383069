"""Irregular ratings: each kind is either handled or rejected with an error that names the cause."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN

MODELS = {
    "dot": DotProductBias(n_factors=3, epochs=2, device="cpu", random_state=0),
    "nn": EmbeddingNN(layers=(8,), embedding_size=3, epochs=2, device="cpu", random_state=0),
    "bayes": BayesianFactorization(n_factors=2, n_sweeps=8, n_burn_in=2, random_state=0),
    "ordinal": BayesianFactorization(n_factors=2, n_sweeps=8, n_burn_in=2, likelihood="ordinal", random_state=0),
}
EACH = pytest.mark.parametrize("name", MODELS)


def make_ratings():
    user, item = (codes.ravel() for codes in np.mgrid[1:16, 101:113])
    rated = (user * 5 + item * 3) % 7 < 4
    y = 1.0 + (user * 3 + item) % 5
    return pd.DataFrame({"user": user, "item": item})[rated].reset_index(drop=True), y[rated]


X, Y = make_ratings()


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(model).fit(X, Y) for name, model in MODELS.items()}


@pytest.fixture(scope="module")
def of_texts():
    frame = X.assign(user="u" + X["user"].astype(str), item="Film " + X["item"].astype(str))
    return {name: clone(model).fit(frame, Y) for name, model in MODELS.items()}


# --- Pairs -----------------------------------------------------------------------------------------------------------


@EACH
def test_all_ratings_of_a_pair_count(name):
    twice = pd.concat([X, X.head(10)])
    model = clone(MODELS[name]).fit(twice, np.append(Y, 6 - Y[:10]))
    assert model.mean_rating_ == pytest.approx(np.append(Y, 6 - Y[:10]).mean())
    same = clone(MODELS[name]).fit(pd.concat([X, X.head(10)]), np.append(Y, Y[:10]))
    weights = np.where(np.arange(len(X)) < 10, 2, 1)
    weighted = clone(MODELS[name]).fit(X, Y, sample_weight=weights)
    np.testing.assert_array_equal(same.predict(X), weighted.predict(X))
    assert not model.recommend(1, 100)["item"].isin(X["item"][X["user"] == 1]).any()


@EACH
def test_equal_ratings_of_a_pair_with_other_weights_may_come_in_any_order(name):
    twice, y = pd.concat([X, X]), np.append(Y, Y)
    weights, order = np.repeat([0.3, 1.7], len(X)), np.random.default_rng(0).permutation(2 * len(X))
    expected = clone(MODELS[name]).fit(twice, y, sample_weight=weights).predict(X)
    model = clone(MODELS[name]).fit(twice.iloc[order], y[order], sample_weight=weights[order])
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-6)


def test_equal_ratings_of_a_pair_on_other_occasions_may_come_in_any_order():
    twice, y = pd.concat([X, X]).assign(place=np.repeat(["home", "away"], len(X))), np.append(Y, Y)
    order = np.random.default_rng(0).permutation(2 * len(X))
    net = clone(MODELS["nn"]).set_params(context=["place"])
    expected = clone(net).fit(twice, y).predict(twice)
    np.testing.assert_allclose(clone(net).fit(twice.iloc[order], y[order]).predict(twice), expected, atol=1e-6)


@EACH
@pytest.mark.parametrize("rows", ["one rating", "one user", "one item"])
def test_one_is_enough(name, rows):
    chosen = {"one rating": X.index == 0, "one user": X["user"] == 1, "one item": X["item"] == 101}[rows]
    model = clone(MODELS[name]).fit(X[chosen], Y[chosen])
    predicted, path = model.predict(X, return_path=True)
    assert np.isfinite(predicted).all()
    assert path[np.asarray(chosen)].tolist() == ["learned"] * int(chosen.sum())
    assert predicted[path == "global mean"] == pytest.approx(np.full((path == "global mean").sum(), Y[chosen].mean()))
    user, item = X[chosen].iloc[0]
    assert user not in model.similar_users(user)["similar"].to_numpy()
    assert item not in model.similar_items(item)["similar"].to_numpy()
    for asked in (user, 999):
        assert np.isfinite(model.recommend(asked, exclude_seen=False)["score"]).all()
    assert np.isfinite(model.item_factors_.to_numpy()).all()
    assert np.isfinite(model.user_bias_).all()
    made = model.new_user({item: Y[chosen][0]})
    assert np.isfinite(made.predict(X)).all()
    if rows != "one rating" and name != "ordinal":  # the scale of which is that of the ratings in fit
        assert np.isfinite(made.partial_fit(X, Y).predict(X)).all()


@EACH
def test_ratings_that_are_all_the_same_are_predicted(name):
    model = clone(MODELS[name]).fit(X, np.full(len(X), 4.0))
    unknown = pd.DataFrame({"user": [1, 99, 99], "item": [999, 101, 999]})
    np.testing.assert_allclose(model.predict(pd.concat([X, unknown])), 4, atol=0.25)
    assert np.isfinite(model.new_user({101: 4.0}).recommend("new user")["score"]).all()


@EACH
def test_an_id_with_thousands_of_ratings_does_no_harm(name):
    items = pd.DataFrame({"user": 1, "item": np.arange(3000)})
    model = clone(MODELS[name]).fit(pd.concat([X, items]), np.append(Y, 1.0 + np.arange(3000) % 5))
    assert np.isfinite(model.predict(X)).all()
    assert len(model.recommend([1, 2], 4000)) == 3000 - (X["user"] == 2).sum()
    assert len(model.explain(1, 101, n=4000).ratings) == 3000 + (X["user"] == 1).sum()


# --- Missing ids -----------------------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("missing", [np.nan, None, pd.NA])
def test_ratings_without_an_id_are_left_out_with_a_warning(fitted, name, missing):
    holes = X.astype(object)
    holes.loc[len(X)] = [missing, 101]
    holes.loc[len(X) + 1] = [1, missing]
    with pytest.warns(UserWarning, match=rf"2 of {len(X) + 2} ratings have no user or no item.*row {len(X)}"):
        model = clone(MODELS[name]).fit(holes, np.append(Y, [5.0, 5.0]))
    np.testing.assert_array_equal(model.predict(X), fitted[name].predict(X))
    assert model.users_.tolist() == fitted[name].users_.tolist()
    with pytest.warns(UserWarning, match="1 of 2 ratings"):
        model.partial_fit(holes.iloc[[0, -1]], [5.0, 5.0])


@EACH
def test_without_any_whole_pair_there_is_nothing_to_learn(name):
    holes = pd.DataFrame({"user": [1, None], "item": [None, 101]})
    with pytest.raises(ValueError, match="No row has both"):
        clone(MODELS[name]).fit(holes, [1.0, 2.0])


@EACH
@pytest.mark.parametrize("missing", [np.nan, None, pd.NA])
def test_a_missing_id_is_predicted_as_an_unknown_one(fitted, name, missing):
    rows = pd.DataFrame({"user": [missing, 1, missing], "item": [101, missing, missing]}, dtype=object)
    unknown = pd.DataFrame({"user": [999, 1, 999], "item": [101, 999, 999]})
    predicted, path = fitted[name].predict(rows, return_path=True)
    np.testing.assert_array_equal(predicted, fitted[name].predict(unknown))
    assert path.tolist() == ["item bias", "user bias", "global mean"]


# --- Ratings ---------------------------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize(
    ("rating", "message"),
    [
        (np.nan, "NaN.*row 3"),
        (np.inf, "infinity.*row 3"),
        (-np.inf, "infinity.*row 3"),
        ("5", "'5'"),
        (None, "NaN.*row 3"),
    ],
    ids=str,
)
def test_a_rating_that_is_none_is_refused(name, rating, message):
    y = Y.astype(object) if isinstance(rating, str) or rating is None else Y.copy()
    y[3] = rating
    with pytest.raises(ValueError, match=message):
        clone(MODELS[name]).fit(X, y)


@EACH
def test_ratings_of_another_number_than_rows_are_refused(name):
    for y, message in ((Y[:-1], f"{len(X)} rows.*{len(X) - 1}"), (None, "requires y"), (np.column_stack([Y, Y]), "1d")):
        with pytest.raises(ValueError, match=message):
            clone(MODELS[name]).fit(X, y)


@EACH
@pytest.mark.parametrize("dtype", ["int64", "int8", "float32", "Int64", "Float64", "bool", "object"])
def test_ratings_may_be_numbers_of_any_type(fitted, name, dtype):
    y = pd.Series(Y > 3 if dtype == "bool" else Y).astype(dtype)
    expected = clone(MODELS[name]).fit(X, (Y > 3).astype(float)) if dtype == "bool" else fitted[name]
    np.testing.assert_array_equal(clone(MODELS[name]).fit(X, y).predict(X), expected.predict(X))


@pytest.mark.parametrize("name", ["dot", "nn"])
def test_ratings_beyond_the_bounds_are_refused(name):
    with pytest.raises(ValueError, match=r"y_range=\(1.*4.*\) does not contain .*5"):
        clone(MODELS[name]).set_params(y_range=(1, 4)).fit(X, Y)
    for bounds in ((4, 1), (1,), "wide", (np.nan, 5), (1, np.inf), 5):
        with pytest.raises(ValueError, match="y_range"):
            clone(MODELS[name]).set_params(y_range=bounds).fit(X, Y)


@pytest.mark.parametrize("y_range", [(0, 6), (0.5, 5.5), [0, 6], np.array([0.0, 6.0])], ids=str)
@pytest.mark.parametrize("name", ["dot", "nn"])
def test_within_bounds_of_the_callers_everything_works(name, y_range):
    model = clone(MODELS[name]).set_params(y_range=y_range).fit(X, Y)
    predicted = model.predict(X)
    assert y_range[0] <= predicted.min() <= predicted.max() <= y_range[1]
    assert np.isfinite(model.new_user({101: 5.0}).predict(X)).all()
    assert np.isfinite(model.partial_fit(X, Y).predict(X)).all()


def test_an_ordinal_scale_has_not_thousands_of_steps():
    with pytest.raises(ValueError, match=r"at most \d+ distinct ratings.*likelihood='normal'"):
        clone(MODELS["ordinal"]).fit(pd.concat([X] * 30), np.linspace(0, 1, 30 * len(X)))


# --- Columns ---------------------------------------------------------------------------------------------------------


@EACH
def test_swapped_names_are_refused_in_fit_unless_they_are_meant(fitted, name):
    swapped = X[["item", "user"]]
    with pytest.raises(ValueError, match="'item' and 'user'.*look swapped.*user='user', item='item'"):
        clone(MODELS[name]).fit(swapped, Y)
    model = clone(MODELS[name]).set_params(user="user", item="item").fit(swapped, Y)
    np.testing.assert_array_equal(model.predict(X), fitted[name].predict(X))
    for names in (("movieId", "userId"), ("Title", "Customer"), ("book", "reader")):
        with pytest.raises(ValueError, match="look swapped"):
            clone(MODELS[name]).fit(X.set_axis(names, axis=1), Y)
    meant = clone(MODELS[name]).set_params(user="item", item="user").fit(X, Y)
    assert meant.users_.tolist() == fitted[name].items_.tolist()


@EACH
def test_swapped_values_are_noticed_in_predict(fitted, of_texts, name):
    with pytest.warns(UserWarning, match="'user' holds known items and 'item' known users.*swapped"):
        fitted[name].predict(X.set_axis(["item", "user"], axis=1)[["user", "item"]])
    numbers = pd.DataFrame({"user": X["user"], "item": "Film " + X["item"].astype(str)})
    model = clone(MODELS[name]).fit(numbers, Y)
    with pytest.raises(ValueError, match="swapped.*same type"):
        model.predict(numbers.set_axis(["item", "user"], axis=1)[["user", "item"]])


@EACH
def test_columns_may_be_reordered_and_others_are_passed_over(fitted, name):
    expected = fitted[name].predict(X)
    wide = X.assign(timestamp=np.arange(len(X)), text="x")
    np.testing.assert_array_equal(fitted[name].predict(wide[["text", "item", "timestamp", "user"]]), expected)
    model = clone(MODELS[name]).fit(wide, Y)
    np.testing.assert_array_equal(model.predict(X), expected)
    assert model.n_features_in_ == 4
    assert model.partial_fit(X, Y).users_.tolist() == model.users_.tolist()


@EACH
def test_a_column_that_is_missing_is_named(fitted, name):
    with pytest.raises(ValueError, match=r"\['item'\].*missing"):
        fitted[name].predict(X[["user"]])
    with pytest.raises(ValueError, match="needs at least two columns"):
        clone(MODELS[name]).fit(X[["user"]], Y)
    with pytest.raises(ValueError, match="no column 'who'.*'user', 'item'"):
        clone(MODELS[name]).set_params(user="who").fit(X, Y)
    with pytest.raises(ValueError, match="both are 'user'"):
        clone(MODELS[name]).set_params(user="user", item="user").fit(X, Y)
    with pytest.raises(ValueError, match="must be unique"):
        clone(MODELS[name]).fit(X.set_axis(["id", "id"], axis=1), Y)


@EACH
def test_no_rows_are_refused(fitted, name):
    for call in (lambda: fitted[name].predict(X.head(0)), lambda: clone(MODELS[name]).fit(X.head(0), [])):
        with pytest.raises(ValueError, match="no rows|0 sample"):
            call()


@EACH
def test_dates_and_infinity_are_no_ids(fitted, name):
    with pytest.raises(ValueError, match="'user' holds dates.*should hold ids"):
        clone(MODELS[name]).fit(X.assign(user=pd.Timestamp("2020-01-01")), Y)
    with pytest.raises(ValueError, match="'user' holds inf in row 0"):
        fitted[name].predict(pd.DataFrame({"user": [np.inf], "item": [101]}))


# --- A refused call --------------------------------------------------------------------------------------------------


def same_state(one, other):
    return one.keys() == other.keys() and all(one[key] is other[key] for key in one)


@EACH
def test_a_refused_call_leaves_the_model_as_it_was(name):
    model = clone(MODELS[name])
    before = dict(vars(model))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, np.where(Y > 4, np.nan, Y))
    assert same_state(vars(model), before)
    model.fit(X, Y)
    before, predicted = dict(vars(model)), model.predict(X)
    for call in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="NaN"):
            call(X, np.where(Y > 4, np.nan, Y))
    with pytest.raises(ValueError, match="already has ratings"):
        model.new_user({101: 5}, user=1)
    assert same_state(vars(model), before)
    np.testing.assert_array_equal(model.predict(X), predicted)


def fail(*_):
    raise RuntimeError("stop")


@pytest.mark.parametrize("name", ["dot", "nn"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_that_fails_halfway_leaves_the_model_as_it_was(name, method):
    model = clone(MODELS[name]).fit(X, Y)
    before, predicted = dict(vars(model)), model.predict(X)
    model.set_params(callbacks=[fail])
    with pytest.raises(RuntimeError, match="stop"):
        getattr(model, method)(X, Y)
    model.set_params(callbacks=before["callbacks"])
    assert same_state(vars(model), before)
    np.testing.assert_array_equal(model.predict(X), predicted)


@EACH
def test_what_needs_a_fitted_model_says_so(name):
    model = clone(MODELS[name])
    calls = [
        lambda: model.predict(X),
        lambda: model.recommend(1),
        lambda: model.similar_items(101),
        lambda: model.similar_users(1),
        lambda: model.explain(1, 101),
        lambda: model.new_user({101: 5}),
        lambda: model.users_,
        lambda: model.item_bias_,
        lambda: model.user_factors_,
        lambda: model.plot_items(),
    ]
    for call in calls:
        with pytest.raises(NotFittedError, match="not fitted"):
            call()

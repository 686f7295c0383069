"""Inputs of tree estimators from a raw frame, and target encoding without leakage."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

from tabrec import (
    BoostingClassifier,
    BoostingRegressor,
    Categorify,
    ForestClassifier,
    ForestRegressor,
    TabularPreprocessor,
)
from tabrec.tables.weights import read_weights
from tabrec.trees.target_encoding import _encode_out_of_fold, to_matrix

FOREST = {"n_estimators": 20, "n_jobs": 1, "random_state": 0}


def make_frame(n_rows=300, n_levels=3, seed=0):
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "city": [f"c{level}" for level in generator.integers(0, n_levels, n_rows)],
            "size": generator.normal(size=n_rows).round(3),
            "gap": np.where(generator.random(n_rows) < 0.2, np.nan, generator.normal(size=n_rows)),
        }
    )
    frame.loc[::10, "city"] = None
    effect = frame["city"].map(lambda city: 0 if city is None or city != city else int(city[1:]) % 7)
    return frame, (effect + frame["size"] + generator.normal(0, 0.1, n_rows)).to_numpy()


@pytest.mark.parametrize("n_levels", [3, 290])
@pytest.mark.parametrize("as_array", [False, True])
def test_arrays_are_those_of_the_encoded_frame(n_levels, as_array):
    X, y = make_frame(n_levels=n_levels)
    X = X.assign(at=pd.Timestamp("2020-01-01")) if not as_array else X[["size", "gap"]].to_numpy()
    for target in (y, np.digitize(y, [1, 4])):
        forest = (ForestRegressor if target is y else ForestClassifier)(**FOREST).fit(X, target)
        encoded = forest.encode(X[::2])
        arrays = forest.encode_to_arrays(X[::2])
        assert list(arrays) == list(encoded.columns) == list(forest.encoded_names_)
        for name, array in arrays.items():
            np.testing.assert_array_equal(np.asarray(array, dtype=float), np.asarray(encoded[name], dtype=float))
        np.testing.assert_array_equal(to_matrix(arrays), to_matrix(encoded))


@pytest.mark.parametrize("model", [ForestRegressor(**FOREST), BoostingRegressor(max_iter=20, random_state=0)])
@pytest.mark.parametrize("n_levels", [3, 290])
def test_an_encoded_frame_is_used_as_it_is(model, n_levels):
    X, y = make_frame(900, n_levels)
    preprocessor = TabularPreprocessor().fit(X)
    raw = model.fit(X, y).predict(X)
    encoded = preprocessor.transform(X)
    assert (encoded["city"] == 0).sum() == 90
    model.fit(encoded, y)
    np.testing.assert_array_equal(model.predict(encoded), raw)
    assert model.target_encoded_ == (["city"] if n_levels > 255 else [])
    if n_levels == 3:
        pd.testing.assert_frame_equal(model.encode(encoded), encoded)


def test_the_matrix_of_a_forest_holds_the_codes():
    X, y = make_frame()
    forest = ForestRegressor(**FOREST).fit(X, y)
    encoded = forest.encode(X)
    tree = forest.estimators_[0]
    np.testing.assert_array_equal(forest.apply(X)[:, 0], tree.apply(encoded.to_numpy(np.float32)))


@pytest.mark.parametrize("n_levels", [3, 150])
def test_importances_and_names_belong_together(n_levels):
    X, y = make_frame(600, n_levels)
    forest = ForestRegressor(**FOREST).fit(X, y)
    assert forest.encoded_names_.tolist() == forest.encode(X).columns.tolist()
    assert sorted(forest.encoded_names_) == ["city", "gap", "gap_na", "size"]
    assert len(forest.feature_importances_) == 4
    assert forest.feature_importances_.sum() == pytest.approx(1)
    assert forest.feature_names_in_.tolist() == ["city", "size", "gap"]
    assert forest.n_features_in_ == 3


def test_categories_of_an_array_are_named_by_position():
    X, y = make_frame()
    array = X.to_numpy(dtype=object)
    by_position = ForestRegressor(**FOREST, categorical_features=[0]).fit(array, y)
    assert by_position.preprocessor_.kinds_["x0"] == "categorical"
    codes = np.column_stack([TabularPreprocessor().fit_transform(X)["city"].astype(int), X["size"]]).astype(float)
    told = BoostingRegressor(max_iter=5, categorical_features=[0], random_state=0).fit(codes, y)
    untold = BoostingRegressor(max_iter=5, random_state=0).fit(codes, y)
    assert told.is_categorical_.tolist() == [True, False]
    assert untold.is_categorical_ is None
    named = pd.DataFrame(codes, columns=["city", "size"])
    by_name = BoostingRegressor(max_iter=5, categorical_features=["city"], random_state=0).fit(named, y)
    np.testing.assert_array_equal(told.predict(codes), by_name.predict(named))


def test_a_preprocessor_of_ones_own_is_cloned_and_used():
    X, y = make_frame()
    own = TabularPreprocessor(drop_columns=["gap"])
    forest = ForestRegressor(**FOREST, preprocessor=own).fit(X, y)
    assert not hasattr(own, "kinds_")
    assert forest.encoded_names_.tolist() == ["city", "size"]
    with pytest.raises(ValueError, match="categorical_features is for the built-in preprocessor"):
        ForestRegressor(preprocessor=own, categorical_features=["city"]).fit(X, y)


def test_a_preprocessor_of_scikit_learn_works_if_it_gives_numbers_in_frames():
    X, y = make_frame()
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    columns = ColumnTransformer([("city", encoder, ["city"]), ("size", StandardScaler(), ["size"])])
    forest = ForestRegressor(**FOREST, preprocessor=columns).fit(X, y)
    assert forest.encoded_names_[-1] == "size__size"
    assert forest.oob_score_ > 0.9
    with pytest.raises(TypeError, match="must return tables, not ndarray"):
        ForestRegressor(**FOREST, preprocessor=columns.set_output(transform="default")).fit(X, y)


def test_categories_whose_codes_depend_on_the_batch_are_refused():
    X, y = make_frame()

    class PassThrough(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return X

    with pytest.raises(TypeError, match="column 'city' of dtype category"):
        ForestRegressor(preprocessor=PassThrough()).fit(X.astype({"city": "category"}), y)
    with pytest.raises(TypeError, match="column 'city' of dtype (object|str)"):
        ForestRegressor(preprocessor=PassThrough()).fit(X, y)


# --- Target encoding -------------------------------------------------------------------------------------------------


def test_out_of_fold_means_are_those_of_the_other_folds():
    codes = np.array([[1], [1], [1], [2], [2], [2]])
    targets = np.array([[0.0], [10.0], [20.0], [5.0], [5.0], [5.0]])
    fold = np.array([0, 1, 2, 0, 1, 2])
    values = _encode_out_of_fold(codes, targets, fold)
    for k in range(3):
        other = fold != k
        expected = TargetEncoder(target_type="continuous").fit(codes[other], targets[other, 0]).transform(codes[~other])
        np.testing.assert_array_equal(values[~other], expected)
    np.testing.assert_allclose(values[3:, 0], 5, atol=1e-12)


@pytest.mark.parametrize("n_levels", [2000, 500])
def test_target_encoding_leaks_nothing_of_a_noise_target(n_levels):
    generator = np.random.default_rng(1)
    n_rows = 2000
    level = np.arange(n_rows) if n_levels == n_rows else generator.integers(0, n_levels, n_rows)
    X = pd.DataFrame({"key": [f"k{value}" for value in level], "size": generator.normal(size=n_rows)})
    y = generator.normal(size=n_rows)
    forest = ForestRegressor(n_estimators=50, n_jobs=1, random_state=0)
    training, _ = forest._fit_encoding(X, X, y, read_weights(None, n_rows))
    assert forest.target_encoded_ == ["key"]
    if n_levels == n_rows:
        assert training["key"].nunique() == 1
    else:
        assert abs(np.corrcoef(training["key"], y)[0, 1]) < 0.06
    naive = TargetEncoder(smooth=1).fit(X[["key"]], y).transform(X[["key"]])[:, 0]
    assert np.corrcoef(naive, y)[0, 1] > 0.45
    honest = forest.fit(X, y).oob_score_
    given_away = ForestRegressor(n_estimators=50, n_jobs=1, random_state=0).fit(X.assign(key=naive), y).oob_score_
    assert honest <= 0.05
    assert given_away > honest + (0.5 if n_levels == n_rows else 0.1)


def test_copies_of_a_row_do_not_give_its_target_away():
    generator = np.random.default_rng(2)
    X = pd.DataFrame({"key": [f"k{value}" for value in range(400)]})
    y = generator.normal(size=400)
    forest = ForestRegressor(**FOREST)
    training, _ = forest._fit_encoding(X, X, np.repeat(y, 3), read_weights(np.full(400, 3), 400))
    np.testing.assert_allclose(training["key"], y.mean(), atol=1e-6)


def test_new_rows_get_the_mean_target_of_their_level_and_unseen_levels_that_of_all():
    X, y = make_frame(1000, 150)
    forest = ForestRegressor(**FOREST).fit(X, y)
    encoded = forest.encode(pd.concat([X, X.head(1).assign(city="new")], ignore_index=True))
    codes = TabularPreprocessor().fit_transform(X)[["city"]].astype(int)
    expected = TargetEncoder(target_type="continuous").fit(codes, y).transform(codes)[:, 0]
    np.testing.assert_allclose(encoded["city"][:-1], expected, rtol=1e-6)
    # Code 0 has rows of its own here, whose mean it gets; without any it is the mean of all.
    assert encoded["city"].iloc[-1] == pytest.approx(expected[X["city"].isna()][0], rel=1e-6)
    known = X["city"].notna().to_numpy()
    forest.fit(X[known], y[known])
    assert forest.encode(X.head(1).assign(city="new"))["city"].iloc[0] == pytest.approx(y[known].mean(), rel=1e-6)


def test_equal_rows_of_one_level_learn_from_each_other():
    level = np.random.default_rng(0).integers(0, 150, 3000)
    X, y = pd.DataFrame({"key": [f"k{value}" for value in level]}), (level % 2).astype(float)
    forest = ForestClassifier(**FOREST).fit(X, y)
    assert forest.target_encoded_ == ["key"]
    assert forest.oob_score_ > 0.95


@pytest.mark.parametrize("make", [ForestClassifier, BoostingClassifier])
def test_more_than_two_classes_give_a_column_each(make):
    X, y = make_frame(900, 290)
    label = np.array(["high", "low", "mid"], dtype=object)[np.digitize(y, [1.5, 4])]
    model = make(random_state=0).set_params(**({"n_jobs": 1} if make is ForestClassifier else {"max_iter": 10}))
    model.fit(X, label)
    names = ["city_high", "city_low", "city_mid"]
    assert [name for name in model.encoded_names_ if name.startswith("city")] == names
    means = model.encode(X)[names]
    assert means.min(axis=None) >= 0
    assert means.max(axis=None) <= 1
    assert np.mean(np.array(["high", "low", "mid"])[means.to_numpy().argmax(axis=1)] == label) > 0.7
    assert model.score(X, label) > 0.7
    two = make(**model.get_params()).fit(X, label == "mid")
    assert "city" in two.encoded_names_
    with pytest.raises(ValueError, match="'city_low', which is taken"):
        model.fit(X.assign(city_low=1.0), label)


def test_a_class_of_a_single_row_can_be_encoded():
    X, y = make_frame(600, 290)
    label = np.where(y > 2, "high", "low").astype(object)
    label[5] = "odd"
    forest = ForestClassifier(**FOREST).fit(X, label)
    assert forest.predict_proba(X).shape == (600, 3)
    assert (forest.encode(X).filter(like="city_").shape[1]) == 3


@pytest.mark.parametrize("most", [-1, 2.5, "all"])
def test_high_cardinality_is_checked(most):
    X, y = make_frame()
    with pytest.raises(ValueError, match="'high_cardinality' parameter of ForestRegressor"):
        ForestRegressor(high_cardinality=most).fit(X, y)


@pytest.mark.parametrize("high_cardinality", [0, 1, None])
def test_high_cardinality_at_its_ends(high_cardinality):
    X, y = make_frame()
    forest = ForestRegressor(**FOREST, high_cardinality=high_cardinality).fit(X, y)
    assert forest.target_encoded_ == ([] if high_cardinality is None else ["city"])
    assert forest.oob_score_ > 0.9


def test_a_constant_target_of_many_levels_is_predicted():
    X, _ = make_frame(600, 290)
    for model in (ForestRegressor(**FOREST, oob_score=False), BoostingRegressor(max_iter=3)):
        np.testing.assert_allclose(model.fit(X, np.full(600, 7.0)).predict(X), 7.0)


# --- The encoded frame feeds others ----------------------------------------------------------------------------------


def encoded_frame(**parameters):
    X, y = make_frame(600, 290)
    encoded = TabularPreprocessor(**parameters).fit_transform(X)
    return encoded, y


def test_encoded_frame_feeds_histogram_boosting():
    X, y = make_frame(600, 290)
    encoded = TabularPreprocessor(max_categories=254).fit_transform(X)
    model = HistGradientBoostingRegressor(max_iter=20, categorical_features="from_dtype").fit(encoded, y)
    assert model.is_categorical_.tolist() == [True, False, False, False]
    assert model.score(encoded, y) > 0.3


def test_encoded_frame_feeds_lightgbm():
    lightgbm = pytest.importorskip("lightgbm")
    encoded, y = encoded_frame()
    model = lightgbm.LGBMRegressor(n_estimators=30, n_jobs=1, verbose=-1).fit(encoded, y)
    assert model.booster_.pandas_categorical == [list(range(len(encoded["city"].cat.categories)))]
    assert model.score(encoded, y) > 0.3


def test_encoded_frame_feeds_xgboost():
    xgboost = pytest.importorskip("xgboost")
    encoded, y = encoded_frame()
    model = xgboost.XGBRegressor(n_estimators=30, enable_categorical=True, n_jobs=1).fit(encoded, y)
    assert model.get_booster().feature_types == ["c", "float", "float", "i"]
    assert model.score(encoded, y) > 0.3


def test_encoded_frame_feeds_a_plain_forest_by_its_codes():
    encoded, y = encoded_frame()
    matrix = encoded.to_numpy(np.float32)
    np.testing.assert_array_equal(matrix[:, 0], encoded["city"].cat.codes)
    np.testing.assert_array_equal(encoded.astype(np.float32).to_numpy(), matrix)
    plain = RandomForestRegressor(**FOREST).fit(encoded, y)
    np.testing.assert_array_equal(
        plain.predict(encoded), RandomForestRegressor(**FOREST).fit(matrix, y).predict(matrix)
    )


def test_codes_of_categorify_alone_feed_a_plain_forest():
    X, y = make_frame()
    codes = Categorify().fit_transform(X[["city"]])
    assert RandomForestRegressor(**FOREST).fit(codes, y).predict(codes).shape == (300,)


def test_target_means_far_from_0_stay_distinct():
    X = pd.DataFrame({"city": [f"city {i % 40}" for i in range(400)]})
    y = 1e9 + np.arange(400) % 40
    forest = ForestRegressor(20, high_cardinality=10, random_state=0).fit(X, y)
    assert forest.encode(X)["city"].nunique() == 40
    assert forest.score(X, y) > 0.99

"""What every estimator keeps of an earlier fit under a warm start, and what it refuses to change."""

import warnings

import numpy as np
import pandas as pd
import pytest

import tabrec
from tabrec import (
    BayesianFactorization,
    BoostingClassifier,
    BoostingRegressor,
    Categorify,
    DotProductBias,
    EmbeddingNN,
    FillMissing,
    ForestClassifier,
    ForestRegressor,
    Normalize,
    TabularClassifier,
    TabularPreprocessor,
    TabularRegressor,
)

NET = {"layers": (16,), "n_members": None, "numeric_embedding": None, "epochs": 30, "learning_rate": 0.02}
MAKERS = {
    "forest": lambda **more: ForestRegressor(**{"n_estimators": 10, "n_jobs": 1} | more),
    "boosting": lambda **more: BoostingRegressor(**{"max_iter": 30, "learning_rate": 0.2, "max_features": 1.0} | more),
    "net": lambda **more: TabularRegressor(**NET | more),
}
CLASSIFIERS = {
    "forest": lambda **more: ForestClassifier(**{"n_estimators": 10, "n_jobs": 1} | more),
    "boosting": lambda **more: BoostingClassifier(**{"max_iter": 10} | more),
    "net": lambda **more: TabularClassifier(**NET | {"epochs": 2} | more),
}
MORE = {"forest": {"n_estimators": 12}, "boosting": {"max_iter": 33}, "net": {"epochs": 1}}
EFFECT = {"a": 5.0, "b": 0.0, "c": 20.0, "d": -20.0}

pytestmark = pytest.mark.filterwarnings("ignore:.*rows were drawn by every tree")


def make_month(labels, n_rows=120, seed=0):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame({"c": generator.choice(list(labels), n_rows), "size": generator.normal(size=n_rows)})
    return X, X["c"].map(EFFECT).to_numpy() + X["size"].to_numpy() / 10


@pytest.mark.parametrize("kind", MAKERS)
def test_new_labels_are_unseen_and_leave_the_codes_of_the_known_ones(kind):
    X, y = make_month("bcd")
    model = MAKERS[kind](warm_start=True, random_state=0).fit(X, y)
    labels, vectors = model.preprocessor_.categories_, model.preprocessor_
    with pytest.warns(UserWarning, match=r"keeps its labels; .* treated as unseen: 'c' \('a'\)"):
        model.set_params(**MORE[kind]).fit(*make_month("abcd", 150, seed=1))
    assert model.preprocessor_ is vectors
    assert model.preprocessor_.categories_ == labels
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("kind", ["forest", "boosting"])
@pytest.mark.parametrize("settings", [{}, {"high_cardinality": 1}], ids=["codes", "target means"])
def test_more_trees_on_the_same_rows_are_those_of_one_fit(kind, settings):
    X, y = make_month("bcd")
    settings = settings | {"random_state": 0}
    warm = MAKERS[kind](warm_start=True, **settings).fit(X, y).set_params(**MORE[kind]).fit(X[["size", "c"]], y)
    whole = MAKERS[kind](**settings | MORE[kind]).fit(X, y)
    np.testing.assert_array_equal(warm.predict(X), whole.predict(X))
    assert warm.feature_names_in_.tolist() == ["c", "size"]


def test_boosting_reads_other_rows_in_the_bins_of_the_first_fit():
    size = np.random.default_rng(0).uniform(size=(400, 1))
    model = MAKERS["boosting"](warm_start=True, random_state=0).fit(size, size.ravel())
    # Bins learned from these rows would have other edges, at which the first trees would be read wrongly.
    skewed = size**4
    model.set_params(max_iter=60).fit(skewed, skewed.ravel())
    assert model.score(size, size.ravel()) > 0.99
    assert model.score(skewed, skewed.ravel()) > 0.99


@pytest.mark.parametrize("kind", ["forest", "boosting"])
def test_a_target_encoding_is_not_kept_for_other_rows(kind):
    X, y = make_month("bcd")
    model = MAKERS[kind](warm_start=True, high_cardinality=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"target encoding of \['c'\] out of fold"):
        model.set_params(**MORE[kind]).fit(X[1:], y[1:])


CHANGES = {
    "preprocessor": (MAKERS, {"preprocessor": TabularPreprocessor("forest", max_card=2)}),
    "categorical_features": (MAKERS, {"categorical_features": ["size"]}),
    "high_cardinality": ({name: MAKERS[name] for name in ("forest", "boosting")}, {"high_cardinality": 1}),
    "bootstrap": ({"forest": MAKERS["forest"]}, {"bootstrap": False}),
    "max_bins": ({"boosting": MAKERS["boosting"]}, {"max_bins": 10}),
    "layers": ({"net": MAKERS["net"]}, {"layers": (8, 8)}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_parameters_that_a_warm_start_cannot_change_are_refused_by_name(name):
    X, y = make_month("bcd", 60)
    makers, change = CHANGES[name]
    for kind, make in makers.items():
        model = make(warm_start=True, **MORE[kind] | {"random_state": 0}).fit(X, y)
        with pytest.raises(ValueError, match=f"which had {name}=.*; got {name}=.*only in a new fit"):
            model.set_params(**change).fit(X, y)
        assert model.set_params(warm_start=False).fit(X, y).predict(X).shape == (60,)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_table_with_other_columns_or_outputs_is_refused(kind):
    X, y = make_month("bcd", 60)
    model = MAKERS[kind](warm_start=True, **MORE[kind] | {"random_state": 0}).fit(X, y)
    with pytest.raises(ValueError, match=r"lacked the column\(s\) \['price'\].*new fit, with warm_start=False"):
        model.fit(X.assign(price=1.0), y)
    with pytest.raises(ValueError, match=r"\['size'\] seen in fit are missing"):
        model.fit(X[["c"]], y)
    if kind != "boosting":
        with pytest.raises(ValueError, match="2 output"):
            model.fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_a_class_that_the_first_fit_lacked_is_refused_by_name(kind):
    X, _ = make_month("bcd", 60)
    model = CLASSIFIERS[kind](warm_start=True, random_state=0).fit(X, X["c"])
    with pytest.raises(ValueError, match="the class 'new'"):
        model.fit(X, X["c"].replace("b", "new"))
    if kind == "net":
        return
    with pytest.raises(ValueError, match="y lacks the class 'b'"):
        model.fit(X, X["c"].replace("b", "c"))


def test_a_warm_start_continues_a_loaded_model(tmp_path):
    X, y = make_month("bcd", 60)
    for kind in ("forest", "boosting"):
        model = MAKERS[kind](preprocessor=TabularPreprocessor("forest"), warm_start=True, random_state=0).fit(X, y)
        back = tabrec.load(tabrec.save(model, tmp_path / kind))
        again = [each.set_params(**MORE[kind]).fit(X, y).predict(X) for each in (model, back)]
        np.testing.assert_array_equal(*again)


@pytest.mark.parametrize("kind", MAKERS)
def test_without_a_warm_start_nothing_of_an_earlier_fit_is_left(kind):
    X, y = make_month("bcd", 60)
    other = pd.DataFrame({"size": np.arange(50.0), "when": pd.date_range("2020-01-01", periods=50)})
    settings = MORE[kind] | {"random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("error", append=True)
        twice = MAKERS[kind](**settings).fit(X, y).fit(other, np.arange(50.0))
    once = MAKERS[kind](**settings).fit(other, np.arange(50.0))
    np.testing.assert_array_equal(twice.predict(other), once.predict(other))
    assert vars(twice).keys() == vars(once).keys()


CHUNK = pd.DataFrame({"c": list("abcd") * 10, "n": np.arange(40.0)})


@pytest.mark.parametrize(
    ("transformer", "change"),
    [
        (TabularPreprocessor(), {"max_card": 2}),
        (Categorify(), {"min_frequency": 3}),
        (FillMissing(), {"add_indicator": False}),
        (Normalize(), {"method": "quantile"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_later_chunks_of_a_transformer_have_the_parameters_and_columns_of_the_first(transformer, change):
    (name, value) = next(iter(change.items()))
    transformer.fit(CHUNK)
    with pytest.raises(ValueError, match=r"lacked the column\(s\) \['more'\].*start a new fit\."):
        transformer.partial_fit(CHUNK.assign(more=1.0))
    with pytest.raises(
        ValueError, match=f"which had {name}=.*; got {name}={value!r}, which takes effect only in a new"
    ):
        transformer.set_params(**change).partial_fit(CHUNK)
    assert len(transformer.fit(CHUNK).partial_fit(CHUNK[::-1]).transform(CHUNK)) == 40


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (DotProductBias(epochs=1), {"n_factors": 7}),
        (EmbeddingNN(epochs=1), {"layers": (5,)}),
        (BayesianFactorization(n_sweeps=3, n_burn_in=1, n_samples=2), {"likelihood": "ordinal"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_recommender_refuses_by_name_what_more_ratings_cannot_change(model, change):
    X, y = CHUNK.assign(item=list("xyxyz") * 8)[["c", "item"]], np.arange(40) % 5 + 1.0
    model.fit(X, y).partial_fit(X[:3], y[:3])
    features = pd.DataFrame({"f": [1, 2, 3]}, index=list("xyz"))
    with pytest.raises(ValueError, match="which had no item_features: a change takes effect only in a new fit"):
        model.set_params(item_features=features).partial_fit(X, y)
    model.set_params(item_features=None)
    changes = change | {"user": "c"}
    for name, value in changes.items():
        before = getattr(model, name)
        with pytest.raises(ValueError, match=f"which had {name}=.*; got {name}="):
            model.set_params(**{name: value}).partial_fit(X, y)
        model.set_params(**{name: before})

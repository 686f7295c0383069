"""Contributions: sums, equality with treeinterpreter, and names of columns and labels."""

import weakref

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

mpl.use("Agg")

from matplotlib import pyplot as plt

from tabrec import BoostingRegressor, ForestClassifier, ForestRegressor, TabularClassifier, TabularRegressor
from tabrec.datasets import make_auctions
from tabrec.interpret import contributions, shap_values
from tabrec.interpret.attribution import _tree_paths

COLUMNS = ["YearMade", "ProductSize", "saledate", "state", "MachineHoursCurrentMeter"]


@pytest.fixture(scope="module")
def auctions():
    return make_auctions(400, random_state=0)


@pytest.fixture(scope="module")
def forest(auctions):
    X = auctions[[*COLUMNS, "fiModelDesc"]]
    return ForestRegressor(10, high_cardinality=50, random_state=0).fit(X, np.log(auctions["SalePrice"]))


@pytest.fixture(scope="module")
def nets(auctions):
    settings = {"layers": (16,), "n_members": 2, "epochs": 3, "device": "cpu", "random_state": 0}
    X, price = auctions[COLUMNS], auctions["SalePrice"].to_numpy()
    return {
        "regressor": TabularRegressor(**settings).fit(X, price),
        "plain": TabularRegressor(**settings | {"n_members": None, "numeric_embedding": None}, batch_norm=True).fit(
            X, price
        ),
        "quantile": TabularRegressor(**settings, loss="quantile").fit(X, price),
        "two targets": TabularRegressor(**settings, y_range=None).fit(X, np.column_stack([price, -price])),
        "classifier": TabularClassifier(**settings).fit(X, np.digitize(price, [15_000, 30_000])),
    }


def make_data(n_rows=300, n_columns=6, with_gaps=False, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)).round(1)
    y = X[:, 0] * X[:, 1] + X[:, 2] + 0.1 * rng.normal(size=n_rows)
    X[rng.random(X.shape) < 0.2 * with_gaps] = np.nan
    return X.astype(np.float32), y


def assert_additive(found, atol=1e-10):
    total = found.bias + found.contributions.sum(axis=1)
    np.testing.assert_allclose(total, found.prediction, rtol=1e-10, atol=atol)


REGRESSORS = [
    DecisionTreeRegressor(max_depth=4),
    ExtraTreeRegressor(random_state=0),
    RandomForestRegressor(8, random_state=0),
    ExtraTreesRegressor(8, random_state=0),
]
CLASSIFIERS = [
    DecisionTreeClassifier(max_depth=4),
    RandomForestClassifier(8, random_state=0, class_weight="balanced"),
    ExtraTreesClassifier(8, random_state=0),
]


def test_the_gain_of_each_split_goes_to_its_column():
    X = pd.DataFrame({"size": [0, 0, 1, 1], "age": [0, 1, 0, 1]})
    tree = DecisionTreeRegressor().fit(X, [0.0, 2.0, 10.0, 20.0])  # roots at 8; size splits first, into 1 and 15
    found = contributions(tree, X, joint=True)
    assert found.columns == ["size", "age"]
    assert found.prediction.tolist() == [0, 2, 10, 20]
    assert found.bias.tolist() == [8, 8, 8, 8]
    assert found.contributions.tolist() == [[-7, -1], [-7, 1], [7, -5], [7, 5]]
    assert found.joint[0] == {("size",): -7, ("size", "age"): -1}
    assert found.outputs is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("model", REGRESSORS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("with_gaps", [False, True])
def test_regressors_are_taken_apart_as_treeinterpreter_does(oracle, model, with_gaps):
    X, y = make_data(with_gaps=with_gaps)
    model.fit(X, y)
    prediction, bias, by_column = oracle("treeinterpreter.treeinterpreter").predict(model, X)
    found = contributions(model, X)
    np.testing.assert_allclose(found.prediction, prediction.reshape(-1), rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.bias, bias, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.contributions, by_column, rtol=0, atol=1e-10)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("n_classes", [2, 5])
def test_classifiers_are_taken_apart_as_treeinterpreter_does(oracle, model, n_classes):
    X, y = make_data()
    y = pd.qcut(y, n_classes, labels=False)
    model.fit(X, y)
    expected = oracle("treeinterpreter.treeinterpreter").predict(model, X)
    found = contributions(model, X)
    for ours, theirs in zip((found.prediction, found.bias, found.contributions), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
    assert found.outputs == list(range(n_classes))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "model", [REGRESSORS[0], REGRESSORS[2], CLASSIFIERS[1]], ids=lambda model: type(model).__name__
)
def test_joint_contributions_are_those_of_treeinterpreter(oracle, model):
    X, y = make_data(n_rows=60)
    model.fit(X, y > 0 if model in CLASSIFIERS else y)
    _, _, expected = oracle("treeinterpreter.treeinterpreter").predict(model, X, joint_contribution=True)
    for ours, theirs in zip(contributions(model, X, joint=True).joint, expected, strict=True):
        theirs = {tuple(f"x{column}" for column in columns): gain for columns, gain in theirs.items()}
        assert ours.keys() == theirs.keys()
        for columns, gain in theirs.items():
            np.testing.assert_allclose(ours[columns], np.reshape(gain, np.shape(ours[columns])), rtol=0, atol=1e-10)


@given(
    kind=st.sampled_from(["tree", "forest", "extra", "classifier", "outputs"]),
    seed=st.integers(0, 2**16),
    n_rows=st.integers(1, 16),
    n_columns=st.integers(1, 5),
    with_gaps=st.booleans(),
)
@settings(suppress_health_check=list(HealthCheck), database=None)
def test_contributions_add_up_on_any_forest(kind, seed, n_rows, n_columns, with_gaps):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (n_rows, n_columns)).astype(np.float32)
    X[rng.random(X.shape) < 0.2 * with_gaps] = np.nan
    y = rng.normal(size=n_rows) * 10.0 ** rng.integers(-3, 4)
    model, target = {
        "tree": (DecisionTreeRegressor(random_state=seed), y),
        "forest": (RandomForestRegressor(2, random_state=seed), y),
        "extra": (ExtraTreesRegressor(2, random_state=seed), y),
        "classifier": (RandomForestClassifier(2, random_state=seed), rng.integers(0, 3, n_rows)),
        "outputs": (DecisionTreeRegressor(random_state=seed), np.column_stack([y, y**2])),
    }[kind]
    model.fit(X, target)
    found = contributions(model, X, joint=True)
    predict = model.predict_proba if kind == "classifier" else model.predict
    scale = np.abs(found.prediction).max() + 1
    np.testing.assert_allclose(found.prediction, predict(X), rtol=0, atol=1e-10 * scale)
    assert_additive(found, 1e-10 * scale)
    joint = np.array([np.sum(list(by_set.values()), axis=0) for by_set in found.joint])
    total = found.contributions.sum(axis=1)
    np.testing.assert_allclose(
        np.broadcast_to(joint.reshape(len(joint), -1), total.reshape(len(joint), -1).shape),
        total.reshape(len(joint), -1),
        rtol=0,
        atol=1e-10 * scale,
    )


@pytest.mark.parametrize(
    "model", [DecisionTreeRegressor(), DecisionTreeClassifier(), RandomForestRegressor(3, bootstrap=False)]
)
def test_contributions_add_up_on_trees_deeper_than_90(model):
    X = np.column_stack([np.arange(400), np.arange(400)[::-1]]).astype(np.float32)
    model.fit(X, np.arange(400) % 2)  # of alternating targets each split cuts off the outermost row
    trees = getattr(model, "estimators_", [model])
    assert max(tree.get_depth() for tree in trees) > 90
    found = contributions(model, X, joint=True)
    expected = model.predict_proba(X) if found.is_classifier else model.predict(X)
    np.testing.assert_allclose(found.prediction, expected, rtol=0, atol=1e-12)
    assert_additive(found)


def test_several_outputs_are_taken_apart_together_as_each_alone():
    X, y = make_data()
    both = DecisionTreeRegressor(max_depth=3).fit(X, np.column_stack([y, 2 * y]))
    found = contributions(both, X)
    assert found.contributions.shape == (300, 6, 2)
    assert found.outputs == [0, 1]
    np.testing.assert_allclose(found.contributions[:, :, 1], 2 * found.contributions[:, :, 0], atol=1e-12)
    assert_additive(found)


def test_several_outputs_of_a_classifier_are_pairs_of_output_and_class():
    X, y = make_data()
    target = np.column_stack([np.where(y > 0, "hi", "lo"), np.digitize(y, [-1, 1]).astype(str)])
    model = RandomForestClassifier(4, random_state=0).fit(X, target)
    found = contributions(model, X)
    assert found.outputs == [(0, "hi"), (0, "lo"), (1, "0"), (1, "1"), (1, "2")]
    np.testing.assert_allclose(found.prediction, np.hstack(model.predict_proba(X)), atol=1e-12)
    assert_additive(found)


def test_rows_in_chunks_and_threads_give_the_same_bits(monkeypatch):
    X, y = make_data(n_rows=1200)
    model = RandomForestRegressor(6, random_state=0, n_jobs=1).fit(X, y)
    at_once = contributions(model, X, joint=True)
    monkeypatch.setattr("tabrec.interpret.attribution._tree_paths._MOST_NUMBERS", 700 * 6)
    monkeypatch.setattr("tabrec.interpret.attribution._tree_paths._ROWS_AT_ONCE", 100)
    model.n_jobs = 2
    in_chunks = contributions(model, X, joint=True)
    assert np.array_equal(at_once.contributions, in_chunks.contributions)
    assert [by_set.keys() for by_set in at_once.joint] == [by_set.keys() for by_set in in_chunks.joint]


def test_forests_of_ours_speak_of_the_callers_values(auctions, forest):
    X = auctions.head(3).assign(state=["Ohio", "Atlantis", None], MachineHoursCurrentMeter=[100.0, np.nan, 7.5])
    before = X.copy()
    found = contributions(forest, X)
    assert_additive(found)
    np.testing.assert_allclose(found.prediction, forest.predict(X), rtol=1e-12)
    pd.testing.assert_frame_equal(X, before)
    assert found.columns == list(forest.encoded_names_)
    assert forest.target_encoded_ == ["fiModelDesc"]
    row = dict(zip(found.columns, found.row(1).values, strict=True))
    day = X["saledate"].iloc[1]
    assert row["state"] == "Atlantis (never seen)"
    assert row["fiModelDesc"] == X["fiModelDesc"].iloc[1]
    assert row["saleElapsed"] == str(day.date())
    assert row["saleYear"] == str(day.year)
    assert row["MachineHoursCurrentMeter"] == "missing"
    assert row["MachineHoursCurrentMeter_na"] == "True"
    assert found.row(2).values[found.columns.index("state")] == "missing"
    assert found.row(2).values[found.columns.index("MachineHoursCurrentMeter")] == "7.5"


def test_contributions_of_raw_columns_are_those_of_their_encoded_ones(auctions, forest):
    found = contributions(forest, auctions.head(4))
    by_source = found.by_source()
    assert set(by_source.columns) == {*COLUMNS, "fiModelDesc"}
    dates = [position for position, name in enumerate(found.columns) if name.startswith("sale")]
    at = by_source.columns.index("saledate")
    np.testing.assert_allclose(by_source.contributions[:, at], found.contributions[:, dates].sum(axis=1), atol=1e-12)
    assert by_source.row(0).values[at] == str(auctions["saledate"].iloc[0].date())
    assert_additive(by_source)
    assert by_source.by_source() is by_source


def test_a_row_alone_is_taken_apart_as_in_its_batch(auctions, forest):
    batch = contributions(forest, auctions.head(20))
    alone = contributions(forest, auctions.iloc[[7]])
    np.testing.assert_allclose(alone.contributions[0], batch.contributions[7], rtol=0, atol=1e-12)
    assert alone.row(0).values == batch.row(7).values


@pytest.mark.parametrize("kind", ["reordered", "polars", "arrow", "categories"])
def test_any_kind_of_table_gives_the_same_contributions(auctions, forest, kind):
    X = auctions[[*COLUMNS, "fiModelDesc"]].head(30)
    given = {
        "reordered": lambda: X[X.columns[::-1]].assign(extra=1),
        "polars": lambda: pytest.importorskip("polars").from_pandas(X),
        "arrow": lambda: pytest.importorskip("pyarrow").Table.from_pandas(X),
        "categories": lambda: X.assign(state=X["state"].astype("category").cat.add_categories(["Nowhere"])),
    }[kind]()
    found = contributions(forest, given)
    expected = contributions(forest, X)
    np.testing.assert_array_equal(found.contributions, expected.contributions)
    assert found.row(3).values == expected.row(3).values


def test_the_row_of_a_classifier_is_of_the_second_of_two_classes_or_the_most_probable(auctions):
    X, price = auctions[COLUMNS], auctions["SalePrice"]
    two = ForestClassifier(5, oob_score=False, random_state=0).fit(X, np.where(price > 20_000, "much", "little"))
    found = contributions(two, X.head(9))
    assert found.row(0).output == "much"
    assert found.row(0, output="little").prediction == pytest.approx(1 - found.row(0).prediction)
    many = ForestClassifier(5, oob_score=False, random_state=0).fit(X, pd.qcut(price, 30, labels=False))
    found = contributions(many, X.head(9))
    assert len(found.outputs) == 30
    assert found.row(4).output == many.predict(X.head(9))[4]
    assert_additive(found)
    with pytest.raises(ValueError, match="output='none' must be one of"):
        found.row(0, output="none")


def test_tables_are_tidy_and_name_rows_columns_and_outputs():
    X = pd.DataFrame({"size": [0, 0, 1, 1], "age": [0, 1, 0, 1]}, index=list("abcd"))
    found = contributions(DecisionTreeRegressor().fit(X, [0.0, 2.0, 10.0, 20.0]), X, joint=True)
    assert found.table.columns.tolist() == ["row", "column", "value", "contribution"]
    assert found.table.iloc[3].tolist() == ["b", "age", 1, 1.0]
    assert found.joint_table.iloc[3].tolist() == ["b", ("size", "age"), 1.0]
    assert found.row(2).table["column"].tolist() == ["size", "age"]
    assert found.mean()["mean_absolute"].tolist() == [7, 3]
    found = contributions(DecisionTreeClassifier().fit(X, ["no", "no", "no", "yes"]), X, joint=True)
    assert found.table.columns.tolist() == ["row", "output", "column", "value", "contribution"]
    assert len(found.table) == 4 * 2 * 2
    assert found.table["contribution"].sum() == pytest.approx((found.prediction - found.bias).sum())
    assert set(found.joint_table["output"]) == {"no", "yes"}
    assert found.mean("yes")["mean_absolute"].tolist() == pytest.approx(found.mean("no")["mean_absolute"].tolist())


def test_pipelines_name_the_columns_that_enter_their_trees():
    X, y = make_data(with_gaps=True)
    frame = pd.DataFrame(X, columns=[f"<{i}>$" for i in range(6)])
    model = make_pipeline(SimpleImputer().set_output(transform="pandas"), RandomForestRegressor(4, random_state=0))
    found = contributions(model.fit(frame, y), frame)
    assert found.columns == list(frame.columns)
    assert_additive(found)
    np.testing.assert_allclose(found.prediction, model.predict(frame), atol=1e-12)


@pytest.mark.parametrize("model", [DecisionTreeRegressor(), RandomForestRegressor(20, random_state=0)])
def test_few_rows_one_tree_constant_targets_and_many_columns_are_no_trouble(model):
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(5, 1000))
    assert_additive(contributions(model.fit(wide, rng.normal(size=5)), wide[:1]))
    found = contributions(model.fit(wide, np.ones(5)), wide)
    assert not found.contributions.any()
    assert found.prediction.tolist() == [1.0] * 5
    found.row(0).plot()


def test_whole_weights_change_the_bias_as_repeated_rows_do(auctions):
    X, y = auctions[COLUMNS].head(60), auctions["SalePrice"].head(60)
    weights = np.arange(60) % 3 + 1
    settings = {"n_estimators": 3, "bootstrap": False, "oob_score": False, "random_state": 0}
    weighted = ForestRegressor(**settings).fit(X, y, sample_weight=weights)
    repeated = ForestRegressor(**settings).fit(X.iloc[np.repeat(np.arange(60), weights)], np.repeat(y, weights))
    ours, theirs = contributions(weighted, X), contributions(repeated, X)
    np.testing.assert_allclose(ours.bias, theirs.bias)
    np.testing.assert_allclose(ours.contributions, theirs.contributions, atol=1e-6)


# Occlusion


class Product(RegressorMixin, BaseEstimator):
    """Predicts a · b and ignores c."""

    def fit(self, X, y):
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def predict(self, X):
        return X["a"].to_numpy(dtype=float) * X["b"].to_numpy(dtype=float)


def test_occlusion_of_a_linear_model_gives_slope_times_distance_from_the_background():
    X, y = make_data(n_columns=4)
    X = X.astype(np.float64)
    model = LinearRegression().fit(X, y)
    found = contributions(model, X[:7], background=X, max_background=20)
    assert found.method == "occlusion"
    assert_additive(found)
    np.testing.assert_allclose(found.prediction, model.predict(X[:7]))
    gaps = found.contributions / model.coef_ - X[:7]  # less the mean of the background rows drawn, in every row
    np.testing.assert_allclose(gaps, np.tile(gaps[0], (7, 1)), atol=1e-9)
    assert np.abs(gaps[0] + X.mean(axis=0)).max() < 1
    wanted = contributions(model, X[:7], background=X, max_background=300)
    np.testing.assert_allclose(wanted.contributions, model.coef_ * (X[:7] - X.mean(axis=0)), atol=1e-6)
    errors = np.abs(model.coef_) * X.std(axis=0, ddof=1) / np.sqrt(300)
    np.testing.assert_allclose(wanted.standard_error, np.tile(errors, (7, 1)), rtol=1e-3)


def test_occlusion_shares_an_interaction_and_gives_unused_columns_nothing():
    X = pd.DataFrame({"a": [2.0, 3.0], "b": [5.0, -1.0], "c": ["x", "y"]})
    background = pd.DataFrame({"a": [0, 0], "b": [0, 0], "c": ["z", None]})
    found = contributions(Product().fit(X, None), X, background=background)
    np.testing.assert_allclose(found.contributions, [[5, 5, 0], [-1.5, -1.5, 0]])
    assert found.bias.tolist() == [0, 0]
    assert not found.standard_error.any()
    assert found.row(0).values == ["2", "5", "x"]
    assert np.isnan(contributions(Product().fit(X, None), X, background=background.head(1)).standard_error).all()


def test_occlusion_serves_boosting_ensembles_and_classifiers(auctions):
    X, price = auctions[COLUMNS], auctions["SalePrice"]
    boosting = BoostingRegressor(max_iter=10, random_state=0).fit(X, price)
    vote = VotingRegressor([("forest", ForestRegressor(5, oob_score=False)), ("boosting", boosting)]).fit(X, price)
    for model in (boosting, vote):
        found = contributions(model, X.head(3), background=X, max_background=5)
        assert found.columns == COLUMNS
        assert_additive(found)
        np.testing.assert_allclose(found.prediction, model.predict(X.head(3)))
    numbers, y = make_data()
    classifier = LogisticRegression().fit(numbers, y > 0)
    found = contributions(classifier, numbers[:3], background=numbers)
    assert found.contributions.shape == (3, 6, 2)
    assert found.outputs == [False, True]
    assert_additive(found)


def test_occlusion_in_batches_and_by_its_seed_gives_the_same(monkeypatch):
    X, y = make_data(n_rows=60)
    model = GradientBoostingRegressor(n_estimators=5).fit(X, y)
    first = contributions(model, X[:4], background=X, random_state=3)
    assert np.array_equal(first.contributions, contributions(model, X[:4], background=X, random_state=3).contributions)
    other = contributions(model, X[:4], background=X, random_state=4).contributions
    assert not np.array_equal(first.contributions, other)
    monkeypatch.setattr("tabrec.interpret.attribution._occlusion._MOST_CELLS", 1)
    one_by_one = contributions(model, X[:4], background=X, random_state=3)
    np.testing.assert_allclose(one_by_one.contributions, first.contributions, atol=1e-12)


def test_one_column_is_all_there_is():
    X, y = make_data(n_columns=3)
    found = contributions(LinearRegression().fit(X[:, :1], y), X[:5, :1], background=X[:, :1])
    np.testing.assert_allclose(found.contributions[:, 0], found.prediction - found.bias)


# Nets


@pytest.mark.parametrize("name", ["regressor", "plain", "quantile", "two targets", "classifier"])
def test_integrated_gradients_add_up_in_units_of_the_prediction(auctions, nets, name):
    X = auctions[COLUMNS]
    net = nets[name]
    found = contributions(net, X.head(6), background=X, max_background=10)
    assert found.method == "integrated_gradients"
    assert found.columns == COLUMNS
    predict = net.predict_proba if name == "classifier" else net.predict
    scale = np.abs(found.prediction).max()
    np.testing.assert_allclose(found.prediction, predict(X.head(6)), rtol=1e-5)
    assert_additive(found, 1e-10 * scale)
    assert np.abs(found.residual).max() < 0.02 * np.abs(found.contributions).max()


def test_integrated_gradients_agree_with_occlusion_within_their_errors(auctions, nets):
    X = auctions[COLUMNS]
    gradients = contributions(nets["regressor"], X.head(10), background=X)
    shapley = contributions(nets["regressor"], X.head(10), background=X, method="occlusion")
    np.testing.assert_allclose(gradients.bias, shapley.bias, rtol=1e-5)
    assert np.corrcoef(gradients.contributions.ravel(), shapley.contributions.ravel())[0, 1] > 0.98


def test_the_error_of_integrated_gradients_is_that_of_a_mean_over_background_rows(auctions, nets):
    X, background = auctions[COLUMNS].head(2), auctions[COLUMNS].iloc[100:108]
    found = contributions(nets["regressor"], X, background=background)
    alone = [contributions(nets["regressor"], X, background=background.iloc[[i]]) for i in range(8)]
    draws = np.stack([one.contributions for one in alone])
    size = np.abs(draws).max()
    np.testing.assert_allclose(found.contributions, draws.mean(axis=0), atol=1e-3 * size)
    np.testing.assert_allclose(found.standard_error, draws.std(axis=0, ddof=1) / 8**0.5, atol=1e-3 * size)
    assert np.isnan(alone[0].standard_error).all()


def test_a_column_that_stays_as_in_the_background_contributes_nothing_to_a_net(auctions, nets):
    X = auctions[COLUMNS].assign(state="Ohio")
    found = contributions(nets["regressor"], X.head(5), background=X)
    assert not found.contributions[:, COLUMNS.index("state")].any()
    assert found.contributions[:, COLUMNS.index("YearMade")].any()


def test_nets_in_pipelines_and_on_arrays_speak_of_what_came_in():
    X, y = make_data(n_rows=120)
    net = TabularRegressor((8,), n_members=None, epochs=2, device="cpu", random_state=0)
    model = make_pipeline(SimpleImputer().set_output(transform="pandas"), net)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    found = contributions(model.fit(frame, y), frame.head(3), background=frame)
    assert found.columns == list("abcdef")
    assert_additive(found)
    found = contributions(net.fit(X, y), X[:3], background=X)
    assert found.columns == [f"x{i}" for i in range(6)]
    np.testing.assert_allclose(found.prediction, net.predict(X[:3]), rtol=1e-5)


def test_a_net_whose_columns_cannot_be_traced_is_left_to_occlusion():
    X, y = make_data(n_rows=60)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    renamed = FunctionTransformer(lambda table: table.add_prefix("new "), feature_names_out=None)
    net = TabularRegressor((8,), n_members=None, epochs=1, device="cpu", random_state=0)
    model = make_pipeline(SimpleImputer().set_output(transform="pandas"), renamed, net).fit(frame, y)
    with pytest.raises(ValueError, match="Cannot trace net input 'new a' to a column of X; use method='occlusion'"):
        contributions(model, frame.head(2), background=frame)
    assert_additive(contributions(model, frame.head(2), background=frame, method="occlusion"))


# Bad input


def test_what_is_not_fitted_is_refused():
    X, _ = make_data()
    for model in (RandomForestRegressor(), ForestRegressor(), LinearRegression(), TabularRegressor()):
        with pytest.raises(NotFittedError):
            contributions(model, X, background=X)


def test_models_of_another_kind_are_told_what_serves_them():
    X, y = make_data()
    linear = LinearRegression().fit(X, y)
    with pytest.raises(ValueError, match="method='occlusion' compares each row with background rows: pass them"):
        contributions(linear, X)
    with pytest.raises(TypeError, match="not LinearRegression. For this one use method='occlusion'"):
        contributions(linear, X, method="path")
    with pytest.raises(TypeError, match="is for fitted TabularRegressor and TabularClassifier, not for LinearRegre"):
        contributions(linear, X, method="integrated_gradients", background=X)
    with pytest.raises(ValueError, match="joint=True is for forests and single trees"):
        contributions(linear, X, joint=True, background=X)
    with pytest.raises(TypeError, match="SimpleImputer predicts nothing"):
        contributions(SimpleImputer().fit(X), X, background=X)


def test_wrong_settings_are_named():
    X, y = make_data()
    linear = LinearRegression().fit(X, y)
    with pytest.raises(ValueError, match="The 'method' parameter of contributions must be a str among"):
        contributions(linear, X, method="shap")
    with pytest.raises(ValueError, match="The 'max_background' parameter of contributions must be an int in the range"):
        contributions(linear, X, background=X, max_background=0)
    with pytest.raises(ValueError, match="row 3 is not among the 3 rows"):
        contributions(DecisionTreeRegressor().fit(X, y), X[:3]).row(3)


def test_columns_that_differ_from_fit_are_named(auctions, forest, nets):
    X = auctions[COLUMNS]
    with pytest.raises(ValueError, match="fiModelDesc"):
        contributions(forest, X)
    with pytest.raises(ValueError, match="state"):
        contributions(nets["regressor"], X.drop(columns="state"), background=X)
    with pytest.raises(ValueError, match=r"background lacks the column\(s\) \['state'\]"):
        contributions(nets["regressor"], X.head(2), background=X.drop(columns="state"))
    numbers, y = make_data()
    with pytest.raises(ValueError, match="features"):
        contributions(RandomForestRegressor(2).fit(numbers, y), numbers[:, :3])


def test_the_difference_of_two_rows_is_shared_among_the_columns_that_differ():
    X = pd.DataFrame({"a": [1.0, 2.0, 4.0, 1.0], "b": [0.0, 5.0, 5.0, 0.0], "c": [7.0, 7.0, 7.0, 7.0]})
    X = pd.concat([X] * 5, ignore_index=True)
    model = LinearRegression().fit(X, 3 * X["a"] - X["b"])
    found = contributions(model, X, background=X)
    one = found.compare(2, 0)
    assert one.values == ["4 (not 1)", "5 (not 0)", "7"]
    assert one.contributions == pytest.approx([9, -5, 0])
    assert (one.base, one.prediction) == pytest.approx((3, 7))
    group = found.compare(2, X["a"] == 1)
    assert group.contributions == pytest.approx([9, -5, 0])
    assert group.values == ["4", "5", "7"]
    assert [one.base_name, group.base_name] == ["row 0", "mean of 10 rows"]
    assert group.plot().get_xticklabels()[0].get_text() == "mean of 10 rows"
    plt.close("all")


@pytest.mark.parametrize("function", [contributions, shap_values])
def test_the_difference_from_a_group_adds_up_on_forests_and_classes(auctions, forest, function):
    found = function(forest, auctions.head(30)).by_source()
    why = found.compare(-1, range(10))
    assert why.base == pytest.approx(forest.predict(auctions.head(10)).mean())
    assert why.base + why.contributions.sum() == pytest.approx(forest.predict(auctions.iloc[29:30])[0])
    labels = np.where(auctions["SalePrice"] > auctions["SalePrice"].median(), "high", "low")
    model = ForestClassifier(5, random_state=0).fit(auctions[COLUMNS], labels)
    why = function(model, auctions.head(30)).compare(3, [0, 1], output="high")
    assert why.base == pytest.approx(model.predict_proba(auctions.head(2))[:, 0].mean())
    assert why.base + why.contributions.sum() == pytest.approx(model.predict_proba(auctions.iloc[3:4])[0, 0])


@pytest.mark.parametrize("reference", [[], 30, -31, 1.5, "row", np.ones(3, dtype=bool), np.zeros(30, dtype=bool)])
def test_a_reference_that_names_no_row_is_refused(auctions, forest, reference):
    with pytest.raises(ValueError, match="reference"):
        contributions(forest, auctions.head(30)).compare(0, reference)


def test_each_row_is_a_dot_at_its_contribution(auctions, forest):
    found = contributions(forest, auctions.head(30)).by_source()
    first = found.mean()["column"][0]
    position = found.columns.index(first)
    dots = np.asarray(found.plot(kind="beeswarm").collections[0].get_offsets())
    assert dots[:, 0] == pytest.approx(found.contributions[:, position])
    assert np.abs(dots[:, 1]).max() < 0.5
    ax = found.plot_dependence("YearMade")
    expected = np.column_stack([auctions["YearMade"].head(30), found.contributions[:, found.columns.index("YearMade")]])
    expected = expected[auctions["YearMade"].head(30).notna()]
    assert np.asarray(ax.collections[0].get_offsets()) == pytest.approx(expected)
    with pytest.raises(ValueError, match="column='size'"):
        found.plot_dependence("size")
    plt.close("all")


def test_plots_bear_any_label_and_leave_no_figure():
    before = plt.get_fignums()
    names = ["<script>", "$x^2$ $", "a\nb", "x" * 100, "tab\t", "🚜"]
    X, y = make_data()
    frame = pd.DataFrame(X, columns=names)
    labels = np.where(y > 0, "<b>$", "🚜\n")
    for model in (RandomForestRegressor(3).fit(frame, y), RandomForestClassifier(3).fit(frame, labels)):
        found = contributions(model, frame)
        ax = found.plot()
        assert r"\$x^2\$ \$" in [text.get_text() for text in ax.get_yticklabels()]
        assert "mean |contribution| over 300 rows" in ax.get_xlabel()
        found.row(0).plot()
        assert "x" * 100 in repr(found)
        assert "&lt;script&gt;" in found._repr_html_()
    assert plt.get_fignums() == before


def test_what_steps_make_of_an_array_is_not_taken_for_the_columns_that_went_in():
    X, y = make_data()
    found = contributions(make_pipeline(PCA(2), DecisionTreeRegressor(max_depth=3)).fit(X, y), X[:3])
    assert found.columns == list(found.sources.values()) == ["pca0", "pca1"]
    unnamed = make_pipeline(FunctionTransformer(lambda X: X[:, ::-1]), DecisionTreeRegressor(max_depth=3)).fit(X, y)
    found = contributions(unnamed, X[:3])
    assert found.columns == [f"encoded{i}" for i in range(6)]
    np.testing.assert_array_equal(found.values.to_numpy(), X[:3, ::-1])


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_columns_of_a_column_transformer_are_traced_to_those_that_went_in(sparse, output):
    if sparse and output == "pandas":
        return  # scikit-learn has no sparse frames
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x0": rng.normal(size=200), "x1": rng.normal(size=200), "kind": rng.choice(["a", "b"], 200)})
    encoder = OneHotEncoder(sparse_output=sparse)
    steps = ColumnTransformer(
        [("s", StandardScaler(), ["x1"]), ("o", encoder, ["kind"])],
        remainder="passthrough",
        sparse_threshold=float(sparse),
    )
    forest = RandomForestRegressor(5, random_state=0)
    model = make_pipeline(steps.set_output(transform=output), forest).fit(X, 5 * X["x1"] + (X["kind"] == "a"))
    found = contributions(model, X)
    assert found.sources == {"s__x1": "x1", "o__kind_a": "kind", "o__kind_b": "kind", "remainder__x0": "x0"}
    assert_additive(found)
    np.testing.assert_allclose(found.prediction, model.predict(X))
    by_source = found.by_source()
    assert by_source.mean()["column"].tolist()[0] == "x1"
    pd.testing.assert_frame_equal(by_source.values, X[["x1", "kind", "x0"]])


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_arrays_of_a_model_fitted_on_a_frame_are_read_by_its_names():
    X, y = make_data(n_columns=3)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = GradientBoostingRegressor(n_estimators=5, random_state=0).fit(frame, y)
    named = contributions(model, frame[:3], background=frame[10:20])
    found = contributions(model, X[:3], background=X[10:20])
    assert found.columns == ["a", "b", "c"]
    np.testing.assert_array_equal(found.contributions, named.contributions)
    forest = RandomForestRegressor(3, random_state=0).fit(frame, y)
    assert contributions(forest, X[:3]).raw.columns.tolist() == ["a", "b", "c"]


def test_raw_columns_tell_of_labels_never_seen_as_encoded_ones_do(auctions, forest):
    row = auctions.head(1).assign(state="Atlantis")
    found = contributions(forest, row)
    assert found.values["state"].tolist() == found.by_source().values["state"].tolist() == ["Atlantis (never seen)"]


def test_raw_columns_have_no_joint_contributions(auctions, forest):
    found = contributions(forest, auctions.head(2), joint=True)
    assert found.joint is not None
    assert found.by_source().joint is None


def test_rows_are_encoded_once(auctions, forest, monkeypatch):
    n_calls = []
    encode = ForestRegressor.encode
    monkeypatch.setattr(ForestRegressor, "encode", lambda self, X: n_calls.append(len(X)) or encode(self, X))
    contributions(forest, auctions.head(3), joint=True)
    shap_values(forest, auctions.head(3))
    assert n_calls == [3, 3]


def test_joint_contributions_hold_the_steps_of_one_tree_at_a_time(auctions, forest, monkeypatch):
    made, n_alive = [], []
    read = _tree_paths.read_steps

    def read_and_count(trees, tree):
        steps = read(trees, tree)
        made.append(weakref.ref(steps))
        n_alive.append(sum(step() is not None for step in made))
        return steps

    monkeypatch.setattr(_tree_paths, "read_steps", read_and_count)
    contributions(forest, auctions.head(3), joint=True)
    assert max(n_alive) <= 2


@pytest.mark.real_data("bulldozers/Train.csv")
def test_a_bulldozer_is_taken_apart_by_the_names_of_its_table(data_dir):
    sales = pd.read_csv(data_dir / "bulldozers" / "Train.csv", nrows=3000, low_memory=False)
    sales["saledate"] = pd.to_datetime(sales["saledate"])
    price = np.log(sales.pop("SalePrice"))
    model = ForestRegressor(10, min_samples_leaf=5, oob_score=False, random_state=0).fit(sales, price)
    found = contributions(model, sales)
    assert_additive(found)
    np.testing.assert_allclose(found.prediction, model.predict(sales), rtol=0, atol=1e-10)
    by_source = found.by_source()
    assert set(by_source.columns) == set(sales.columns)
    assert by_source.row(0).values[by_source.columns.index("saledate")] == "2006-11-16"
    assert "YearMade" in by_source.mean()["column"].head(12).tolist()
    found.row(0).plot().figure.draw_without_rendering()

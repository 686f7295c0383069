import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.tree import DecisionTreeRegressor

from tabrec import Categorify, ForestClassifier, ForestRegressor, TabularPreprocessor
from tabrec.interpret import contributions
from tabrec.trees.fitted_trees import read_trees


@pytest.fixture(scope="module")
def jobs():
    """A column `job` whose labels start with the name of another, uninformative column."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"job": rng.choice(["level_a", "level_b", "other"], 120), "job_level": rng.normal(size=120)})
    return X, X["job"].map({"level_a": 0.0, "level_b": 10.0, "other": 5.0})


def test_a_one_hot_column_is_credited_to_its_raw_column_whatever_the_names(jobs):
    X, y = jobs
    encoder = make_column_transformer((OneHotEncoder(sparse_output=False), ["job"]), remainder="passthrough")
    model = make_pipeline(encoder, RandomForestRegressor(5, random_state=0)).fit(X, y)
    assert list(read_trees(model, "test").sources.values()) == ["job", "job", "job", "job_level"]
    table = contributions(model, X).by_source().mean().set_index("column")["mean_absolute"]
    assert table["job"] > 2
    assert table["job_level"] < 0.1


def test_target_encoded_columns_have_origin_and_class():
    X = pd.DataFrame({"id": [f"a{i % 7}" for i in range(70)], "id_u": range(70)})
    y = np.array(["w", "v", "x"] * 23 + ["w"])
    trees = read_trees(ForestClassifier(3, high_cardinality=3, oob_score=False, random_state=0).fit(X, y), "test")
    assert trees.target_encoded == ["id_v", "id_w", "id_x"]
    assert {trees.origins[name].column for name in trees.target_encoded} == {"id"}
    assert [trees.origins[name].label for name in trees.target_encoded] == ["v", "w", "x"]
    assert trees.origins["id_v"].labels == ["#na#", *[f"a{i}" for i in range(7)]]
    assert trees.sources["id_u"] == "id_u"


def test_a_column_of_unknown_origin_stands_for_itself(jobs):
    X, y = jobs
    mix = FunctionTransformer(lambda X: pd.DataFrame({"sum": X["job_level"] + len(X.columns)}))
    trees = read_trees(make_pipeline(mix, DecisionTreeRegressor(max_depth=2)).fit(X, y), "test")
    assert list(trees.origins.values()) == [None]
    assert list(trees.sources.items()) == [(trees.names[0], trees.names[0])]


@pytest.mark.parametrize("forest", [ForestRegressor, ExtraTreesRegressor, RandomForestRegressor])
def test_all_forests_are_read_alike(jobs, forest):
    X, y = jobs
    steps = [] if forest is ForestRegressor else [TabularPreprocessor()]
    model = make_pipeline(*steps, forest(4, bootstrap=True, random_state=0, n_jobs=1)).fit(X, y)
    trees = read_trees(model, "test")
    assert (trees.names, trees.n_outputs, trees.n_training_rows) == (["job", "job_level"], 1, 120)
    assert trees.draws_rows
    assert not trees.is_classifier
    assert trees.labels == {"job": ["#na#", "level_a", "level_b", "other"]}
    assert trees.keeps_out_of_bag == (forest is ForestRegressor)
    np.testing.assert_allclose(trees.predict_with_spread(X, 1).mean, model.predict(X))
    np.testing.assert_array_equal(trees.encode(X)["job_level"], X["job_level"].astype(np.float32))


def test_a_single_tree_draws_no_rows(jobs):
    X, y = jobs
    trees = read_trees(DecisionTreeRegressor().fit(X[["job_level"]], y), "test")
    assert trees.is_single
    assert not trees.draws_rows
    assert trees.n_training_rows == 120
    assert len(trees.trees) == 1


def test_classes_of_several_outputs_are_side_by_side(jobs):
    X, y = jobs
    encoded = Categorify().fit_transform(X[["job"]]).astype(int)
    forest = RandomForestClassifier(2, random_state=0).fit(encoded, np.column_stack([y > 1, y]).astype(int))
    trees = read_trees(forest, "test")
    assert trees.n_classes == [2, 3]
    np.testing.assert_allclose(trees.flat_values(trees.trees[0]).sum(axis=1), 2)


def test_other_models_are_refused():
    with pytest.raises(TypeError, match="test reads forests and single trees .* not LinearRegression. For this one"):
        read_trees(LinearRegression(), "test", "something else")

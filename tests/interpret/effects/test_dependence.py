"""Partial dependence: "walk" equals "brute" for every kind of column; grids, counts, plots and errors."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.inspection import partial_dependence as sklearn_partial_dependence
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tabrec import Categorify, DateParts, FillMissing, ForestClassifier, ForestRegressor, Normalize
from tabrec.interpret import ale, partial_dependence
from tabrec.trees.fitted_trees import read_trees

N_ROWS = 300
FAST = {"n_estimators": 8, "n_jobs": 1, "random_state": 0}


def make_numbers(missing=0.0, seed=0):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(N_ROWS, 5))
    y = 3 * X[:, 0] + X[:, 1] * X[:, 2] + generator.normal(0, 0.2, N_ROWS)
    X[generator.random(X.shape) < missing] = np.nan
    return X, y


def make_table(seed=0):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "state": generator.choice(["Ohio", "Texas", "Utah", None], N_ROWS, p=[0.4, 0.3, 0.2, 0.1]),
            "hours": np.where(generator.random(N_ROWS) < 0.2, np.nan, generator.normal(500, 100, N_ROWS)),
            "age": generator.integers(0, 40, N_ROWS),
            "sold": pd.Timestamp("2011-01-01") + pd.to_timedelta(generator.integers(0, 900, N_ROWS), "D"),
            "model": generator.choice([f"m{i}" for i in range(150)], N_ROWS),
            "size": pd.Categorical(
                generator.choice(["small", "medium", "large"], N_ROWS),
                ["small", "medium", "large", "huge"],
                ordered=True,
            ),
            "sound": generator.random(N_ROWS) < 0.5,
        }
    )
    y = X["age"] + 10 * (X["state"] == "Utah") + X["sold"].dt.month / 4 + X["hours"].fillna(0) / 100
    return X, y.to_numpy() + generator.normal(0, 0.3, N_ROWS)


def thirds(y):
    return np.array(["high", "low", "mid"], dtype=object)[np.digitize(y, np.quantile(y, [0.3, 0.6]))]


@pytest.fixture(scope="module")
def table():
    return make_table()


@pytest.fixture(scope="module")
def forest(table):
    return ForestRegressor(high_cardinality=100, **FAST).fit(*table)


# --- "walk" equals "brute" -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        (RandomForestRegressor(**FAST), 0.0),
        (RandomForestRegressor(**FAST), 0.2),
        (RandomForestRegressor(n_estimators=4, n_jobs=2, random_state=0), 0.2),
        (RandomForestRegressor(max_leaf_nodes=30, **FAST), 0.0),
        (ExtraTreesRegressor(**FAST), 0.2),
        (DecisionTreeRegressor(random_state=0), 0.2),
    ],
    ids=["forest", "forest with gaps", "in threads", "best first", "extra trees", "tree"],
)
def test_walk_equals_brute_force_of_scikit_learn(model, missing):
    X, y = make_numbers(missing)
    model.fit(X, y)
    for features in (["x0"], ["x3"], ["x1", "x2"]):
        ours = partial_dependence(model, X, features, grid_size=7, method="walk", kind="both")
        positions = [int(name[1:]) for name in features]
        theirs = sklearn_partial_dependence(
            model,
            X,
            positions,
            method="brute",
            kind="both" if len(positions) == 1 else "average",
            custom_values=dict(zip(positions, ours.grids, strict=True)),
        )
        np.testing.assert_allclose(ours.average, theirs["average"], rtol=0, atol=1e-10)
        only_average = partial_dependence(model, X, features, grid_size=7, method="walk")
        np.testing.assert_allclose(only_average.average, theirs["average"], rtol=0, atol=1e-10)
        if len(positions) == 1:
            np.testing.assert_allclose(ours.individual, theirs["individual"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_walk_equals_brute_force_of_classifiers(missing):
    X, y = make_numbers(missing)
    model = RandomForestClassifier(**FAST).fit(X, thirds(y))
    ours = partial_dependence(model, X, "x0", grid_size=70)
    theirs = sklearn_partial_dependence(
        model, X, [0], method="brute", response_method="predict_proba", custom_values={0: ours.grids[0]}
    )
    assert ours.outputs == ["high", "low", "mid"]
    np.testing.assert_allclose(ours.average, theirs["average"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.average.sum(axis=0), 1)


def test_several_outputs_are_kept_apart():
    X, y = make_numbers()
    model = RandomForestRegressor(**FAST).fit(X, np.column_stack([y, -y]))
    walked = partial_dependence(model, X, "x0", grid_size=9)
    brute = partial_dependence(model, X, "x0", grid_size=9, method="brute")
    assert walked.outputs == ["output 0", "output 1"]
    np.testing.assert_allclose(walked.average, brute.average, atol=1e-10)
    np.testing.assert_allclose(
        partial_dependence(model, X, "x0", output="output 1").average[0, -1], walked.average[1, -1]
    )


@pytest.mark.parametrize(
    "features",
    ["state", "hours", "age", "sold", "model", "size", "sound", ("hours", "state"), ("sold", "size"), "soldElapsed"],
    ids=str,
)
def test_walk_equals_brute_force_over_raw_columns_of_our_forest(forest, table, features):
    walked = partial_dependence(forest, table[0], features, "both", grid_size=9, method="walk")
    brute = partial_dependence(forest, table[0], features, "both", grid_size=9, method="brute")
    average = partial_dependence(forest, table[0], features, grid_size=9)
    np.testing.assert_allclose(walked.average, brute.average, rtol=0, atol=1e-10)
    np.testing.assert_allclose(average.average, brute.average, rtol=0, atol=1e-10)
    np.testing.assert_allclose(walked.individual, brute.individual, rtol=0, atol=1e-10)


def test_target_encoded_column_of_three_classes_is_walked(table):
    X, y = table
    model = ForestClassifier(high_cardinality=100, **FAST).fit(X, thirds(y))
    assert model.target_encoded_ == ["model"]
    walked = partial_dependence(model, X, "model", method="walk")
    brute = partial_dependence(model, X, "model", method="brute")
    np.testing.assert_allclose(walked.average, brute.average, rtol=0, atol=1e-10)


def test_missing_values_of_arrays_are_filled_as_the_forest_fills_them():
    X, y = make_numbers(0.2)
    model = ForestRegressor(**FAST).fit(X, y)
    walked = partial_dependence(model, X, "x0", grid_size=9, method="walk")
    brute = partial_dependence(model, X, "x0", grid_size=9, method="brute")
    np.testing.assert_allclose(walked.average, brute.average, rtol=0, atol=1e-10)


def test_pipeline_of_our_steps_is_walked(table):
    X, y = table
    model = make_pipeline(DateParts(), Categorify(), FillMissing(), RandomForestRegressor(**FAST)).fit(X, y)
    for name in ("hours", "sold", "state"):
        walked = partial_dependence(model, X, name, grid_size=9, method="walk")
        brute = partial_dependence(model, X, name, grid_size=9, method="brute")
        np.testing.assert_allclose(walked.average, brute.average, rtol=0, atol=1e-10)


def test_pipeline_of_other_steps_is_predicted(table):
    X, y = table
    steps = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["state"]), ("passthrough", ["age"]))
    model = make_pipeline(steps, RandomForestRegressor(**FAST)).fit(X, y)
    effect = partial_dependence(model, X, "state")
    by_hand = model.predict(X.assign(state="Utah")).mean()
    assert effect.average[0, effect.grids[0].tolist().index("Utah")] == pytest.approx(by_hand)
    with pytest.raises(ValueError, match="brute"):
        partial_dependence(model, X, "state", method="walk")


def test_batches_and_chunks_change_nothing(forest, table, monkeypatch):
    X = table[0].head(120)
    whole = partial_dependence(forest, X, ("hours", "state"), "both", grid_size=12)
    monkeypatch.setattr("tabrec.interpret.effects._tree_walk._ROWS_AT_ONCE", 50)
    monkeypatch.setattr("tabrec.interpret.effects._tree_walk._NUMBERS_AT_ONCE", 500)
    monkeypatch.setattr("tabrec.interpret.effects.dependence._ROWS_AT_ONCE", 130)
    for method in ("walk", "brute"):
        for kind in ("average", "both"):
            parts = partial_dependence(forest, X, ("hours", "state"), kind, grid_size=12, method=method)
            np.testing.assert_allclose(parts.average, whole.average, rtol=0, atol=1e-10)


def test_known_answer_of_a_linear_model():
    X, _ = make_numbers()
    model = LinearRegression().fit(X, 2 * X[:, 0] - X[:, 1])
    effect = partial_dependence(model, X, "x0", grid=[1, 0, 3])
    np.testing.assert_allclose(effect.grids[0], [0, 1, 3])
    np.testing.assert_allclose(np.diff(effect.average[0]), [2, 4])


def test_boosting_equals_scikit_learn():
    X, y = make_numbers()
    model = HistGradientBoostingRegressor(max_iter=10, random_state=0).fit(X, y)
    ours = partial_dependence(model, X, "x0", grid_size=9)
    theirs = sklearn_partial_dependence(model, X, [0], method="brute", custom_values={0: ours.grids[0]})
    np.testing.assert_allclose(ours.average, theirs["average"], atol=1e-10)


# --- Grids and counts ------------------------------------------------------------------------------------------------


def test_labels_are_ordered_by_effect_and_counted(forest, table):
    effect = partial_dependence(forest, table[0], "state")
    assert (np.diff(effect.average[0]) >= 0).all()
    assert effect.grids[0][-1] == "Utah"
    held = table[0]["state"].fillna("#na#").value_counts()
    assert dict(zip(effect.grids[0], effect.counts, strict=True)) == held.to_dict()
    assert effect.table.columns.tolist() == ["state", "output", "effect", "count"]
    assert effect.table["count"].tolist() == effect.counts.tolist()


def test_ordered_levels_keep_their_order(forest, table):
    assert partial_dependence(forest, table[0], "size").grids[0].tolist() == ["small", "medium", "large"]
    assert partial_dependence(forest, table[0], "sound").grids[0].tolist() == [False, True]


def test_levels_ordered_in_the_model_keep_that_order(table):
    X, y = table
    X = X.assign(size=X["size"].astype(str))
    levels = {"size": ["small", "medium", "large"]}
    model = make_pipeline(DateParts(), Categorify(ordered=levels), FillMissing(), RandomForestRegressor(**FAST)).fit(
        X, y
    )
    assert partial_dependence(model, X, "size").grids[0].tolist() == levels["size"]


def test_all_of_150_labels_are_in_the_table_and_the_extreme_ones_in_the_plot(forest, table):
    X = table[0]
    effect = partial_dependence(forest, X, "model")
    assert effect.counts.sum() == len(X)
    texts = [tick.get_text() for tick in effect.plot().get_yticklabels()]
    n_left = X["model"].nunique() - 30
    n_rows = len(X) - sum(int(text.split("(")[1].rstrip(")")) for text in texts[1:])
    assert texts[0] == f"other: {n_left} labels ({n_rows})"
    shown = [text.split(" ")[0] for text in texts[1:]]
    assert shown[:3] == effect.grids[0][:3].tolist()
    assert shown[-3:] == effect.grids[0][-3:].tolist()


def test_plots_say_which_labels_and_gaps_they_leave_out():
    generator = np.random.default_rng(0)
    X = pd.DataFrame(
        {"zip": generator.choice([f"z{i:03d}" for i in range(230)], 2000), "x": generator.normal(size=2000)}
    )
    X.loc[::10, "x"] = np.nan
    model = make_pipeline(Categorify(), FillMissing(), RandomForestRegressor(**FAST)).fit(X, X["x"].fillna(5))
    ax = partial_dependence(model, X, "zip").plot()
    counts = X["zip"].value_counts()
    assert f"not shown: {len(counts) - 200} other labels ({counts.iloc[200:].sum():,} rows)" in ax.get_xlabel()
    assert "x: not shown: 200 rows without a value" in partial_dependence(model, X, ["x", "zip"]).plot().get_xlabel()
    assert "not shown: 200 rows without a value" in ale(model, X, "x").plot().get_xlabel()


@pytest.mark.parametrize("kind", ["number", "date"])
def test_missing_values_are_the_last_value_of_the_grid(kind):
    generator = np.random.default_rng(0)
    values = pd.Series(generator.integers(0, 700, N_ROWS).astype(float))
    if kind == "date":
        values = pd.Timestamp("2020-01-01") + pd.to_timedelta(values, "D")
    X = pd.DataFrame({"x": values, "z": generator.normal(size=N_ROWS)})
    gap = generator.random(N_ROWS) < 0.3
    X.loc[gap, "x"] = None
    model = ForestRegressor(**FAST).fit(X, np.where(gap, 100.0, generator.normal(size=N_ROWS)))
    effect = partial_dependence(model, X, "x")
    assert pd.isna(effect.grids[0]).tolist() == [False] * 50 + [True]
    assert effect.counts[-1] == gap.sum()
    by_hand = model.predict(X.assign(x=pd.Series(None, index=X.index, dtype=X["x"].dtype))).mean()
    assert effect.average[0, -1] == pytest.approx(by_hand)
    assert effect.average[0, -1] > 90 > effect.average[0, :-1].max()
    given = partial_dependence(model, X, "x", grid=[effect.grids[0][3], None], method="brute")
    np.testing.assert_allclose(given.average[0], effect.average[0, [3, -1]])
    ax = effect.plot()
    assert ax.get_lines()[1].get_ydata() == effect.average[0, -1]
    assert ax.get_xticklabels()[-1].get_text() == f"missing\n({gap.sum()})"


@pytest.mark.parametrize("column", ["zip", "z"])
def test_a_model_of_one_column_is_walked(column):
    generator = np.random.default_rng(0)
    X = pd.DataFrame({"zip": generator.choice(list("abcdefgh"), 300), "z": generator.normal(size=300)})
    model = ForestRegressor(**FAST).fit(X[[column]], generator.normal(size=300) + 5 * (X["zip"] == "b") + X["z"])
    walked, brute = (partial_dependence(model, X[[column]], column, method=m).average for m in ("walk", "brute"))
    np.testing.assert_allclose(walked, brute, rtol=0, atol=1e-10)


def test_ticks_of_a_few_values_are_these_values():
    X = np.random.default_rng(0).choice([1.0, 2.0, 5.0, 60.0], (200, 1))
    ax = partial_dependence(LinearRegression().fit(X, X[:, 0]), X, "x0").plot()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "2", "5", "60"]


def test_dates_are_dates_and_numbers_are_counted(forest, table):
    effect = partial_dependence(forest, table[0], "sold", grid_size=10)
    assert effect.grids[0].dtype.kind == "M"
    assert np.isin(effect.grids[0], table[0]["sold"].to_numpy()).all()
    assert effect.counts.sum() == N_ROWS
    assert partial_dependence(forest, table[0], "hours").counts[:-1].sum() == table[0]["hours"].notna().sum()


def test_dates_as_text_are_read_as_the_model_reads_them(table):
    X, y = table
    text = X.assign(sold=X["sold"].dt.strftime("%m/%d/%Y"))
    model = make_pipeline(DateParts(["sold"]), Categorify(), FillMissing(), RandomForestRegressor(**FAST)).fit(text, y)
    effect = partial_dependence(model, text, "sold", grid_size=6)
    assert (np.diff(effect.grids[0]) > np.timedelta64(0)).all()
    given = partial_dependence(model, text, "sold", grid=["2011-05-01", "2012-05-01"])
    by_hand = model.predict(text.assign(sold="05/01/2012")).mean()
    assert given.average[0, 1] == pytest.approx(by_hand)


def test_a_grid_lies_at_quantiles_and_each_row_counts_for_the_nearest_value():
    X = np.r_[np.arange(100.0), 1e6].reshape(-1, 1)
    model = LinearRegression().fit(X, X[:, 0])
    effect = partial_dependence(model, X, "x0", grid_size=4, percentiles=(0.1, 0.97))
    assert effect.grids[0].tolist() == [10.0, 39.0, 68.0, 97.0]
    assert effect.counts.tolist() == [25, 29, 29, 18]
    given = partial_dependence(model, X, "x0", grid=[0.0, 80.0, 2e6])
    assert given.counts.tolist() == [41, 60, 0]


def test_dates_are_shown_in_the_time_zone_of_the_column(table):
    X, y = table
    local = X.assign(sold=X["sold"].dt.tz_localize("America/New_York"))
    forest = ForestRegressor(**FAST, oob_score=False).fit(local, y)
    dates = partial_dependence(forest, local, "sold").grids[0]
    assert (dates == dates.astype("datetime64[D]")).all()


@pytest.mark.parametrize("seed", range(2))
def test_a_missing_flag_goes_where_the_trees_send_it(seed):
    generator = np.random.default_rng(seed)
    flag = pd.array(generator.choice([True, False, None], N_ROWS), dtype="boolean")
    X = pd.DataFrame({"flag": flag, "size": generator.normal(size=N_ROWS)})
    y = X["size"] + np.where(X["flag"].isna(), 2.0, X["flag"].fillna(False).astype(float) * (-1) ** seed)
    forest = RandomForestRegressor(**FAST).fit(X, y)
    walked, brute = (partial_dependence(forest, X, "flag", method=method) for method in ("walk", "brute"))
    assert "#na#" in walked.grids[0]
    np.testing.assert_allclose(walked.average, brute.average, atol=1e-12)


def test_given_grids_are_used(forest, table):
    X = table[0]
    labels = partial_dependence(forest, X, "state", grid=["Texas", None])
    assert sorted(labels.grids[0]) == ["#na#", "Texas"]
    dates = partial_dependence(forest, X, "sold", grid=[pd.Timestamp("2012-01-01")])
    assert dates.average[0, 0] == pytest.approx(forest.predict(X.assign(sold=pd.Timestamp("2012-01-01"))).mean())
    pair = partial_dependence(forest, X, ("age", "state"), grid=([3, 1], ["Utah"]))
    assert pair.average[0, 1, 0] == pytest.approx(forest.predict(X.assign(age=3, state="Utah")).mean())


def test_encoded_columns_vary_alone(forest, table):
    X = table[0]
    effect = partial_dependence(forest, X, "soldYear", grid=[2012])
    encoded = forest.encode(X).assign(soldYear=np.float32(2012))
    matrix = np.column_stack([c.cat.codes if hasattr(c, "cat") else c for _, c in encoded.items()]).astype(np.float32)
    by_hand = np.mean([tree.predict(matrix) for tree in forest.estimators_])
    assert effect.average[0, 0] == pytest.approx(by_hand)
    assert partial_dependence(forest, X, ("soldYear", "state")).grids[1].tolist() == ["Ohio", "Texas", "Utah", "#na#"]


def test_rows_are_sampled_by_seed(forest, table):
    first, again, other = (
        partial_dependence(forest, table[0], "age", max_rows=50, random_state=seed, grid=[1, 2]).average
        for seed in (0, 0, 1)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_output_names_the_class(table):
    X, y = table
    two = ForestClassifier(**FAST).fit(X, np.where(y > np.median(y), "yes", "no"))
    assert partial_dependence(two, X, "age").outputs == ["yes"]
    both = [partial_dependence(two, X, "age", output=label).average for label in ("no", "yes")]
    np.testing.assert_allclose(both[0] + both[1], 1)


def test_one_row_and_constant_columns_work():
    X, y = make_numbers()
    X[:, 4] = 7
    model = RandomForestRegressor(**FAST).fit(X, y)
    one = partial_dependence(model, X[:1], "x0", "both", grid=[-1, 0, 1])
    np.testing.assert_allclose(one.average[0], one.individual[0, 0])
    constant = partial_dependence(model, X, "x4")
    assert constant.average[0, 0] == pytest.approx(model.predict(X).mean())
    constant.plot()


def test_tables_of_other_libraries_and_the_callers_frame(forest, table):
    polars = pytest.importorskip("polars")
    X, before = table[0], table[0].copy()
    theirs = partial_dependence(forest, polars.from_pandas(X), "state")
    np.testing.assert_allclose(theirs.average, partial_dependence(forest, X, "state").average)
    pd.testing.assert_frame_equal(X, before)


def test_rows_of_categories_without_rows_and_unseen_labels(forest, table):
    X = table[0].assign(state="Mars")
    unseen = partial_dependence(forest, X, "state")
    assert unseen.average[0, 0] == pytest.approx(forest.predict(X).mean())


# --- Errors ----------------------------------------------------------------------------------------------------------


def test_invalid_arguments_raise(forest, table):
    X = table[0]
    with pytest.raises(NotFittedError):
        partial_dependence(RandomForestRegressor(), X, "age")
    with pytest.raises(ValueError, match="colour"):
        partial_dependence(forest, X, "colour")
    with pytest.raises(ValueError, match="'age'"):
        partial_dependence(forest, X.drop(columns="age"), "age")
    with pytest.raises(ValueError, match="hours"):
        partial_dependence(forest, X.drop(columns="hours"), "age")
    with pytest.raises(ValueError, match="pair"):
        partial_dependence(forest, X, ["age", "hours", "state"])
    with pytest.raises(ValueError, match="'kind' parameter of partial_dependence must be"):
        partial_dependence(forest, X, "age", "mean")
    with pytest.raises(ValueError, match="'method' parameter of partial_dependence must be"):
        partial_dependence(forest, X, "age", method="recursion")
    with pytest.raises(ValueError, match="'grid_size' parameter .* in the range .2, inf"):
        partial_dependence(forest, X, "age", grid_size=1)
    with pytest.raises(ValueError, match="percentiles"):
        partial_dependence(forest, X, "age", percentiles=(0.9, 0.1))
    with pytest.raises(ValueError, match="'max_rows' parameter .* in the range .1, inf"):
        partial_dependence(forest, X, "age", max_rows=0)
    with pytest.raises(ValueError, match="Nowhere"):
        partial_dependence(forest, X, "state", grid=["Nowhere"])
    with pytest.raises(ValueError, match="numbers"):
        partial_dependence(forest, X, "hours", grid=["a"])
    with pytest.raises(ValueError, match="output='x'"):
        partial_dependence(forest, X, "age", output="x")
    with pytest.raises(ValueError, match="no value"):
        partial_dependence(forest, X.assign(hours=np.nan), "hours")


def test_models_that_cannot_be_walked_raise():
    X, y = make_numbers()
    with pytest.raises(TypeError, match=r"LinearRegression.*method='brute'"):
        partial_dependence(LinearRegression().fit(X, y), X, "x0", method="walk")
    with pytest.raises(TypeError, match="predict"):
        partial_dependence(StandardScaler().fit(X), X, "x0")
    with pytest.raises(ValueError, match="several outputs"):
        partial_dependence(RandomForestClassifier(**FAST).fit(X, X[:, :2] > 0), X, "x0")
    model = make_pipeline(FunctionTransformer(), RandomForestRegressor(**FAST)).fit(X, y)
    with pytest.raises(ValueError, match="brute"):
        partial_dependence(model, X, "x0", method="walk")


# --- Plots -----------------------------------------------------------------------------------------------------------


def test_plots_accept_any_label_and_thirty_classes():
    generator = np.random.default_rng(0)
    ugly = ["<b>&x", "$x^2$ and $y", "two\nlines", "🚜 " * 30]
    X = pd.DataFrame({"$a_1\n<i>": generator.choice(ugly, 200), "number": generator.normal(size=200)})
    y = generator.permutation(np.resize([f"class ${i}\n" for i in range(30)], 200))
    model = ForestClassifier(**FAST).fit(X, y)
    for features in ("$a_1\n<i>", "number", ("number", "$a_1\n<i>"), ("$a_1\n<i>", "number")):
        effect = partial_dependence(model, X, features, "both")
        assert len(effect.outputs) == 30
        effect.plot().figure.canvas.draw()
    legend = partial_dependence(model, X, "number").plot().get_legend()
    assert len(legend.get_texts()) == 9
    assert legend.get_texts()[-1].get_text() == "(22 more)"


def test_plot_shows_lines_of_rows_and_uses_given_axes(forest, table):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    effect = partial_dependence(forest, table[0], "hours", "both")
    assert effect.plot(ax, n_lines=7) is ax
    lines = ax.get_lines()[:8]  # the diamond of missing values and its border follow
    np.testing.assert_allclose(lines[-1].get_ydata(), effect.average[0, :-1])
    centred = effect.plot(centred=True)
    assert all(line.get_ydata()[0] == 0 for line in centred.get_lines()[:51])
    assert partial_dependence(forest, table[0], "age", "individual").plot().get_lines()[-1].get_linewidth() < 1


def test_a_map_shows_the_output_of_the_largest_effect_with_the_first_column_across():
    X, y = make_numbers()
    model = RandomForestRegressor(**FAST).fit(X, np.column_stack([y / 1e6, y, y / 1e3]))
    effect = partial_dependence(model, X, ("x0", "x1"), grid_size=4)
    ax = effect.plot()
    np.testing.assert_array_equal(ax.collections[0].get_array().reshape(4, 4), effect.average[1].T)
    assert (ax.get_xlabel().split("\n")[0], ax.get_ylabel()) == ("x0", "x1")


def test_a_distant_placeholder_does_not_compress_the_plot():
    X, y = make_numbers()
    X[:60, 0] = -100_000
    model = RandomForestRegressor(**FAST).fit(X, y)
    ax = partial_dependence(model, X, "x0").plot()
    low, high = ax.get_xlim()
    assert high - low < 10
    assert "−100,000" in [label.get_text() for label in ax.get_xticklabels()]


# --- Size ------------------------------------------------------------------------------------------------------------


def test_a_thousand_columns_work():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(100, 1000))
    model = RandomForestRegressor(n_estimators=3, max_features=0.1, random_state=0).fit(X, X[:, 3])
    walked = partial_dependence(model, X, "x3", grid_size=9)
    np.testing.assert_allclose(walked.average, partial_dependence(model, X, "x3", grid_size=9, method="brute").average)


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_elapsed_seconds_are_shown_as_dates(table, zone):
    X, y = table
    X = X.assign(sold=X["sold"].dt.tz_localize(zone))
    forest = ForestRegressor(**FAST, oob_score=False).fit(X, y)
    days = [pd.Timestamp("2011-03-01"), pd.Timestamp("2012-07-04")]
    effect = partial_dependence(forest, X, "soldElapsed", grid=days)
    assert effect.grids[0].tolist() == np.asarray(days, dtype="datetime64[ns]").tolist()
    encoded = forest.encode(X)
    expected = []
    for day in days:
        seconds = day.tz_localize(zone or "UTC").timestamp()
        matrix = read_trees(forest, "test").to_matrix(encoded.assign(soldElapsed=seconds))
        expected.append(np.mean([tree.predict(matrix) for tree in forest.estimators_]))
    np.testing.assert_allclose(effect.average[0], expected)
    held = partial_dependence(forest, X, "soldElapsed").grids[0].astype("datetime64[ns]")
    assert set(held) <= set(X["sold"].dt.tz_localize(None).to_numpy("datetime64[ns]"))
    ax = effect.plot()
    ax.figure.draw_without_rendering()
    assert "20" in "".join(label.get_text() for label in ax.get_xticklabels())
    assert ax.get_xlim()[1] < 20_000  # days


def test_elapsed_fractions_of_seconds_have_effects_of_their_own():
    X = pd.DataFrame({"at": pd.date_range("2024-01-01 12:00", periods=40, freq="10ms")})
    alone = {"bootstrap": False, "max_features": 1.0, "min_samples_leaf": 1}
    forest = ForestRegressor(1, **alone, random_state=0).fit(X, np.arange(40.0))
    np.testing.assert_array_equal(forest.predict(X), np.arange(40))
    days = list(X["at"][[3, 30]])
    effect = partial_dependence(forest, X, "atElapsed", grid=days)
    assert effect.average[0].tolist() == [3, 30]
    assert effect.grids[0].tolist() == np.asarray(days, dtype="datetime64[ns]").tolist()


def test_normalised_seconds_stay_numbers(table):
    X, y = table
    model = make_pipeline(DateParts(), Categorify(), FillMissing(), Normalize(), RandomForestRegressor(**FAST)).fit(
        X, y
    )
    assert partial_dependence(model, X, "soldElapsed").grids[0].dtype == np.float64


@pytest.mark.parametrize("feature", ["sold", "soldElapsed"])
@pytest.mark.parametrize("grid", [[2011, 2012], ["soon"], [None]])
def test_a_grid_of_dates_must_hold_dates(forest, table, feature, grid):
    with pytest.raises(ValueError, match="date"):
        partial_dependence(forest, table[0], feature, grid=grid)


def tick_texts(axis):
    low, high = sorted(axis.get_view_interval())
    ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [label.get_text() for tick, label in ticks if low <= tick <= high]


def test_ids_years_and_effects_are_written_as_plain_numbers():
    generator = np.random.default_rng(0)
    X = pd.DataFrame(
        {"id": 1_000_000 + generator.permutation(N_ROWS), "year": generator.choice([2000, 2001, 2002], N_ROWS)}
    )
    model = LinearRegression().fit(X, 1e7 + X["id"] + X["year"])
    axes = [partial_dependence(model, X, name).plot() for name in ("id", "year", ("id", "year"))]
    for ax in axes:
        ax.figure.draw_without_rendering()
    numbers = tick_texts(axes[0].xaxis)
    assert all(1_000_000 <= int(text.replace(",", "")) < 1_000_300 for text in numbers)
    assert numbers[0].count(",") == 2
    assert set(tick_texts(axes[1].xaxis)) <= {"2000", "2001", "2002"}
    assert all(text.startswith("11,") for text in tick_texts(axes[0].yaxis))
    for ax in axes:
        assert {axis.get_offset_text().get_text() for part in ax.figure.axes for axis in (part.xaxis, part.yaxis)} == {
            ""
        }


def test_missing_labels_are_named_in_plots(forest, table):
    effect = partial_dependence(forest, table[0], "state")
    assert "#na#" in effect.grids[0]
    texts = [label.get_text() for label in effect.plot().get_yticklabels()]
    assert sum(text.startswith("missing (") for text in texts) == 1
    assert not any("#na#" in text for text in texts)
    pair = partial_dependence(forest, table[0], ("state", "hours"), grid_size=3).plot()
    assert "missing" in [label.get_text() for label in pair.get_xticklabels()]


def test_many_numeric_labels_are_sorted_by_effect_and_few_by_value():
    generator = np.random.default_rng(0)
    X = pd.DataFrame({"model": generator.integers(0, 60, 900), "month": generator.integers(1, 13, 900)})
    y = generator.normal(size=60)[X["model"]] + X["month"] % 3
    forest = ForestRegressor(**FAST, oob_score=False, categorical_features=["model", "month"], high_cardinality=20).fit(
        X, y
    )
    assert forest.target_encoded_ == ["model"]
    effect = partial_dependence(forest, X, "model")
    assert effect.average.shape == (1, 60)
    assert (np.diff(effect.average[0]) >= 0).all()
    assert partial_dependence(forest, X, "month").grids[0].tolist() == list(range(1, 13))


def test_an_unseen_label_does_not_give_labels_an_order(forest, table):
    X = table[0].assign(state=table[0]["state"].where(np.arange(N_ROWS) > 3, "Alaska"))
    effect = partial_dependence(forest, X, "state")
    assert "Alaska" in effect.grids[0]
    assert (np.diff(effect.average[0]) >= 0).all()


@pytest.mark.parametrize("dtype", ["object", "category", pd.Series(["a"]).dtype], ids=str)
def test_a_sample_of_rows_with_gaps_has_its_labels(table, dtype):
    X, y = table
    X = X.assign(state=pd.array(X["state"], dtype=dtype))
    model = HistGradientBoostingRegressor(max_iter=3)
    model = make_pipeline(make_column_transformer((OneHotEncoder(sparse_output=False), ["state"])), model).fit(X, y)
    effect = partial_dependence(model, X, "state", max_rows=40)
    assert effect.counts.sum() == 40
    assert "#na#" in effect.grids[0]


@pytest.mark.real_data("bulldozers/Train.csv")
def test_bulldozers_by_year_and_enclosure(data_dir):
    X = pd.read_csv(data_dir / "bulldozers/Train.csv", low_memory=False, nrows=3000, parse_dates=["saledate"])
    y = np.log(X.pop("SalePrice"))
    model = ForestRegressor(**FAST).fit(X, y)
    for name in ("YearMade", "saledate", "Enclosure", "saleElapsed"):
        walked = partial_dependence(model, X, name, grid_size=8, max_rows=500)
        brute = partial_dependence(model, X, name, grid_size=8, max_rows=500, method="brute")
        np.testing.assert_allclose(walked.average, brute.average, rtol=0, atol=1e-10)
    years = partial_dependence(model, X, "YearMade", grid=[1985, 2005])
    assert years.average[0, 1] > years.average[0, 0] + 0.1

"""Extrapolation: new rows outside the training range, and its effect on predictions."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tabrec import BoostingRegressor, ForestClassifier, ForestRegressor, TabularPreprocessor
from tabrec.datasets import make_auctions
from tabrec.interpret import extrapolation_check

FAST = {"n_estimators": 8, "n_jobs": 1, "random_state": 0}


def make_frame(n=300, first_day="2010-01-01", seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.uniform(0, 30, n),
            "hours": rng.integers(0, 1000, n),
            "state": rng.choice(["Ohio", "Utah"], n),
            "sold": pd.Timestamp(first_day) + pd.to_timedelta(np.arange(n) % 365, "D"),
        }
    )


def make_target(frame):
    return (frame["age"] + frame["hours"] / 100 + (frame["sold"] - pd.Timestamp("2010-01-01")).dt.days / 50).to_numpy()


def make_new():
    new = make_frame(100, first_day="2011-06-01", seed=1)
    new.loc[:9, "age"] = 45.0
    new.loc[10:14, "age"] = -4.0
    new.loc[0, "age"] = 90.0
    new.loc[:24, "state"] = "Texas"
    new["hours"] = new["hours"].astype(float)
    new.loc[50:59, "hours"] = np.nan
    return new


@pytest.fixture(scope="module")
def forest():
    frame = make_frame()
    return ForestRegressor(**FAST).fit(frame, make_target(frame))


def lines_of(found):
    return found.table.set_index("column")


@pytest.mark.filterwarnings("ignore:Column")
def test_shares_ranges_and_extremes_are_those_of_the_table(forest):
    train, new = make_frame(), make_new()
    found = extrapolation_check(forest, train, new)
    lines = lines_of(found)
    assert lines.loc["age", ["below_min", "above_max", "most_extreme"]].tolist() == [0.05, 0.1, 90.0]
    assert lines.loc["age", "outside"] == pytest.approx(0.15)
    assert lines.loc["age", "train_max"] == train["age"].max()
    assert lines.loc["state", ["kind", "unseen", "most_extreme", "n_labels"]].tolist() == ["labels", 0.25, "Texas", 2]
    assert lines.loc["hours", "newly_missing"] == 0.1
    assert lines.loc["sold", ["kind", "above_max"]].tolist() == ["date", 1.0]
    assert lines.loc["sold", "train_max"] == train["sold"].max()
    assert lines.loc["sold", "most_extreme"] == new["sold"].max()
    assert found.table["column"].tolist()[0] == "sold"


@pytest.mark.filterwarnings("ignore:Column")
def test_rows_count_the_columns_in_which_they_are_outside(forest):
    new = make_new().set_axis(np.arange(100) + 1000)
    rows = extrapolation_check(forest, make_frame(), new).rows
    assert rows.index.equals(new.index)
    assert rows.loc[[1000, 1012, 1020, 1030, 1055]].tolist() == [3, 3, 2, 1, 2]


@pytest.mark.parametrize(
    "make",
    [
        lambda: ForestRegressor(**FAST),
        lambda: RandomForestRegressor(**FAST),
        lambda: ExtraTreesRegressor(**FAST),
        lambda: DecisionTreeRegressor(random_state=0),
        lambda: make_pipeline(StandardScaler(), RandomForestRegressor(**FAST)),
        lambda: HistGradientBoostingRegressor(max_iter=10),
    ],
    ids=["ours", "sklearn", "extra", "tree", "pipeline", "boosting"],
)
@pytest.mark.parametrize("kind", ["frame", "array"])
def test_trees_are_pinned_at_the_edge(make, kind):
    old = pd.DataFrame({"a": np.arange(100.0), "b": np.arange(100.0)[::-1] % 7})
    new = pd.DataFrame({"a": np.arange(80.0, 180.0), "b": np.arange(100.0) % 7})
    old, new = (old, new) if kind == "frame" else (old.to_numpy(), new.to_numpy())
    model = make().fit(old, np.arange(100.0))
    found = extrapolation_check(model, old, new)
    first = found.table.iloc[0]
    assert (first["above_max"], first["clipped"], first["change"]) == (0.8, 1.0, 0.0)
    assert np.isnan(found.table.loc[1, "clipped"])


def test_a_forest_that_saw_more_than_the_rows_given_is_not_pinned_at_their_edge():
    seen = np.arange(100.0)[:, None]
    forest = RandomForestRegressor(20, bootstrap=False, random_state=0).fit(seen, seen.ravel())
    found = extrapolation_check(forest, seen[:51], seen[60:81]).table.loc[0]
    assert found["clipped"] == 0
    assert found["change"] == pytest.approx(20)  # from 70 on average to 50


def test_predictions_at_the_edge_are_counted():
    old, new = np.arange(100.0)[:, None], np.arange(80.0, 180.0)[:, None]
    model = RandomForestRegressor(**FAST).fit(old, np.arange(100.0))
    found = extrapolation_check(model, old, new)
    assert found.prediction_range["max"] == model.predict([[1000.0]])[0]
    assert found.prediction_range["share_at_max"] == pytest.approx(0.8, abs=0.03)
    assert found.prediction_range["share_at_min"] == 0
    assert "predictions at the edge" in [f.kind for f in found.findings]


@pytest.mark.parametrize("kind", ["frame", "array"])
def test_a_line_goes_on_and_the_change_is_its_slope_times_the_distance(kind):
    values = np.linspace(0, 9, 100)
    old, new = pd.DataFrame({"a": values}), pd.DataFrame({"a": [-2.0, 5.0, 10.0, 12.0]})
    old, new = (old, new) if kind == "frame" else (old.to_numpy(), new.to_numpy())
    found = extrapolation_check(LinearRegression().fit(old, 3 * values), old, new)
    line = found.table.iloc[0]
    assert line["clipped"] == 0
    assert line["change"] == pytest.approx(3 * (2 + 1 + 3) / 3)
    assert [f.severity for f in found.findings if f.kind == "outside the training range"] == [2]


def test_a_forest_beyond_its_days_is_the_first_finding(forest):
    found = extrapolation_check(forest, make_frame(), make_frame(100, first_day="2012-01-01"))
    assert lines_of(found).loc["sold", "clipped"] == 1
    assert found.findings[0].severity == 1
    assert found.findings[0].columns == ("sold",)


def test_nothing_outside_is_no_finding_and_draws(forest):
    train = make_frame()
    found = extrapolation_check(forest, train, train.iloc[50:60])
    assert found.findings == []
    assert (found.rows == 0).all()
    found.plot()


def test_boosting_of_raw_frames_and_dates_as_text_work():
    old, new = make_frame(), make_frame(50, first_day="2012-01-01")
    y = make_target(old)
    for frame in (old, new):
        frame["sold"] = frame["sold"].dt.strftime("%Y-%m-%d")
    for model in (ForestRegressor(**FAST), BoostingRegressor()):
        lines = lines_of(extrapolation_check(model.fit(old, y), old, new))
        assert lines.loc["sold", ["kind", "above_max"]].tolist() == ["date", 1.0]
        assert 0 <= lines.loc["sold", "clipped"] <= 1


def test_polars_tables_and_pipelines_with_a_preprocessor_work():
    old, new = make_frame(), make_frame(50, first_day="2012-01-01")
    model = make_pipeline(TabularPreprocessor(), RandomForestRegressor(**FAST)).fit(old, make_target(old))
    lines = lines_of(extrapolation_check(model, pl.from_pandas(old), pl.from_pandas(new)))
    assert lines.loc["sold", ["above_max", "clipped"]].tolist() == [1.0, 1.0]


def test_a_classifier_of_30_classes_works():
    rng = np.random.default_rng(0)
    frame = make_frame(600)
    new = frame.assign(age=frame["age"] + 20).iloc[:50]
    for model in (ForestClassifier(**FAST), make_pipeline(TabularPreprocessor(), RandomForestClassifier(**FAST))):
        found = extrapolation_check(model.fit(frame, rng.integers(0, 30, 600)), frame, new)
        assert lines_of(found).loc["age", "clipped"] == 1
        assert found.prediction_range.isna().all()


def test_several_outputs_constant_predictions_and_one_row_work():
    frame = make_frame()
    for y in (np.column_stack([make_target(frame)] * 2), np.ones(len(frame))):
        model = ForestRegressor(**FAST).fit(frame, y)
        found = extrapolation_check(model, frame, frame.iloc[[3]].assign(age=99.0))
        assert lines_of(found).loc["age", ["above_max", "clipped"]].tolist() == [1.0, 1.0]
        assert found.rows.tolist() == [1]


@pytest.mark.filterwarnings("ignore:Column")
def test_empty_categories_all_missing_columns_and_constants_work():
    frame = make_frame().assign(
        empty=np.nan, one=5.0, size=pd.Categorical(["S", "M", "M"] * 100, categories=["S", "M", "never"])
    )
    model = ForestRegressor(**FAST).fit(frame, make_target(frame))
    new = frame.iloc[:10].assign(one=6.0, size=pd.Categorical(["never", *["S"] * 9]))
    lines = lines_of(extrapolation_check(model, frame, new))
    assert lines.loc["size", ["unseen", "most_extreme"]].tolist() == [0.1, "never"]
    assert lines.loc["one", "above_max"] == 1
    assert lines.loc["empty", "outside"] == 0


def test_errors_name_what_is_wrong(forest):
    frame = make_frame()
    with pytest.raises(NotFittedError):
        extrapolation_check(ForestRegressor(), frame, frame)
    with pytest.raises(ValueError, match="state"):
        extrapolation_check(forest, frame, frame.drop(columns="state"))
    with pytest.raises(ValueError, match="state"):
        extrapolation_check(forest, frame.drop(columns="state"), frame)
    with pytest.raises(TypeError, match="StandardScaler"):
        extrapolation_check(StandardScaler().fit(frame[["age"]]), frame, frame)
    with pytest.raises(ValueError, match="'max_rows' parameter.*Got 0"):
        extrapolation_check(forest, frame, frame, max_rows=0)


def test_a_sample_is_repeatable_and_the_callers_frames_stay(forest):
    old, new = make_frame(), make_frame(200, first_day="2011-06-01", seed=2)
    kept = old.copy(), new.copy()
    first, second = (extrapolation_check(forest, old, new, max_rows=40, random_state=5) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, second.table)
    pd.testing.assert_frame_equal(old, kept[0])
    pd.testing.assert_frame_equal(new, kept[1])


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_thousand_columns_and_ugly_labels_are_drawn_and_no_figure_is_left():
    rng = np.random.default_rng(0)
    names = ["<b>a</b>", "$\\frac{1$", "🚜\nnew line", "x" * 90, *[f"c{i}" for i in range(996)]]
    old = pd.DataFrame(rng.normal(size=(60, 1000)), columns=names)
    model = RandomForestRegressor(3, random_state=0).fit(old, rng.normal(size=60))
    found = extrapolation_check(model, old, old * 3)
    ax = found.plot()
    ax.figure.savefig("/dev/null", format="svg")
    assert len(ax.get_yticklabels()) == 15
    assert plt.get_fignums() == []


@pytest.mark.filterwarnings("ignore:Column")
@pytest.mark.real_data("bulldozers/Train.csv", "bulldozers/Valid.csv")
def test_bulldozers_sold_later_lie_beyond_training(data_dir):
    train, new = (pd.read_csv(data_dir / f"bulldozers/{name}.csv", low_memory=False) for name in ("Train", "Valid"))
    X = train.drop(columns="SalePrice")
    model = ForestRegressor(min_samples_leaf=25, **FAST).fit(X, np.log(train["SalePrice"]))
    found = extrapolation_check(model, X, new)
    assert lines_of(found).loc[["saledate", "SalesID"], "above_max"].tolist() == [1.0, 1.0]
    assert {"saledate", "SalesID"} <= {f.columns[0] for f in found.findings if f.severity == 1}


def test_made_auctions_without_change_lie_inside():
    sales = make_auctions(1500, random_state=0)
    y = np.log(sales.pop("SalePrice"))
    sales = sales.drop(columns=["SalesID", "MachineID"])
    rng = np.random.default_rng(0)
    in_train = rng.random(len(sales)) < 0.7
    model = ForestRegressor(**FAST).fit(sales[in_train], y[in_train])
    found = extrapolation_check(model, sales[in_train], sales[~in_train])
    assert all(f.severity > 1 for f in found.findings)


def test_numbers_in_evidence_have_as_many_digits_as_they_need_to_differ():
    rng = np.random.default_rng(0)
    old = pd.DataFrame({"x": np.append(rng.uniform(0, 1, 298), [-2.928090173, 2.486882851]), "z": rng.normal(size=300)})
    model = ForestRegressor(5, random_state=0, n_jobs=1).fit(old, old["x"])
    for step, expected in ((0.4, "2.487, new rows up to 2.887;"), (1e-5, "2.48688, new rows up to 2.48689;")):
        new = old.assign(x=old["x"].max() + step)
        (found,) = (each for each in extrapolation_check(model, old, new).findings if each.columns == ("x",))
        assert f"to {expected}" in found.evidence


def test_rows_that_chance_puts_outside_are_no_finding():
    model, alarms = LinearRegression(), 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        old, new = (pd.DataFrame(rng.normal(size=(n, 8)), columns=list("abcdefgh")) for n in (120, 60))
        found = extrapolation_check(model.fit(old, old["a"]), old, new)
        assert found.table["outside"].max() > 0
        alarms += bool(found.findings)
    assert alarms <= 5  # at most one in 20 is expected
    shifted = extrapolation_check(model, old, new + 1.5)
    assert {finding.kind for finding in shifted.findings} == {"outside the training range"}

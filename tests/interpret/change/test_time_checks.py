"""`drop_and_compare` and `recent_only`: training on older rows, testing on later ones, and standard errors."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from tabrec import ForestClassifier, ForestRegressor, TimeSplit
from tabrec.interpret import drop_and_compare, recent_only


class _Seen(LinearRegression):
    """Records the arguments of its calls."""

    seen: list = []

    def fit(self, X, y):
        self.seen.append((list(X.columns), X.index.tolist()))
        return super().fit(X, y)

    def predict(self, X):
        self.seen.append((list(X.columns), X.index.tolist()))
        return super().predict(X)


@pytest.fixture
def sales():
    """A price that depends on size; `drifting` is a noisy copy of size that shifts in later rows."""
    rng = np.random.default_rng(0)
    n = 400
    day = pd.date_range("2020-01-01", periods=n, freq="D")
    size = rng.normal(size=n)
    X = pd.DataFrame(
        {
            "size": size,
            "noise": rng.normal(size=n),
            "drifting": np.where(np.arange(n) < 320, size + rng.normal(scale=0.3, size=n), 8 + rng.normal(size=n)),
            "day": day,
        }
    )
    price = pd.Series(3 * size + rng.normal(scale=0.2, size=n))
    order = rng.permutation(n)
    return X.iloc[order].reset_index(drop=True), price.iloc[order].reset_index(drop=True)


def _forest():
    return ForestRegressor(20, min_samples_leaf=5, n_jobs=1)


def test_a_drifting_column_goes_and_a_useful_one_stays(sales):
    X, y = sales
    found = drop_and_compare(_forest(), X, y, ["drifting", "size", "noise"], time="day")
    verdicts = dict(zip(found.table["dropped"], found.table["verdict"], strict=True))
    assert verdicts[("drifting",)] == "better"
    assert verdicts[("size",)] == "worse"
    assert "drifting" in found.drop
    assert "size" not in found.drop
    kinds = {finding.columns: (finding.kind, finding.severity) for finding in found.findings}
    assert kinds[("drifting",)] == ("better without", 2)
    assert kinds[("size",)] == ("keep", 3)


def test_scores_are_of_later_rows_and_changes_have_paired_errors(sales):
    X, y = sales
    numbers = X.drop(columns="day")
    found = drop_and_compare(LinearRegression(), numbers, y, ["noise"], time=X["day"])
    order = np.argsort(X["day"].to_numpy(), kind="stable")
    train, valid = order[:320], order[320:]
    squares = []
    for columns in (["size", "noise", "drifting"], ["size", "drifting"]):
        model = LinearRegression().fit(numbers[columns].iloc[train], y.iloc[train])
        squares.append((model.predict(numbers[columns].iloc[valid]) - y.iloc[valid].to_numpy()) ** 2)
    rmse = [np.sqrt(each.mean()) for each in squares]
    np.testing.assert_allclose([found.baseline, found.table["score"][0]], rmse)
    assert found.table["change"][0] == pytest.approx(rmse[1] - rmse[0])
    # A root's standard error by the delta method.
    linear = squares[1] / (2 * rmse[1]) - squares[0] / (2 * rmse[0])
    assert found.table["std_error"][0] == pytest.approx(linear.std(ddof=1) / np.sqrt(80), rel=1e-5)


def test_the_suspect_may_be_the_time_itself_and_no_later_row_is_learned_from(sales):
    X, y = sales
    X = X.assign(day=X["day"].map(pd.Timestamp.toordinal))
    _Seen.seen = []
    drop_and_compare(_Seen(), X, y, ["day"], cv=TimeSplit(1, column="day", test_size=100))
    (fitted, trained), (_, validated), (without, _), _ = _Seen.seen
    assert (fitted, without) == (["size", "noise", "drifting", "day"], ["size", "noise", "drifting"])
    assert X["day"].iloc[trained].max() < X["day"].iloc[validated].min()
    assert len(validated) == 100


def test_harmless_columns_go_together_only_where_that_does_no_harm():
    rng = np.random.default_rng(0)
    size = rng.normal(size=500)
    X = pd.DataFrame({"size": size, "twin": size, "noise": rng.normal(size=500), "other": rng.normal(size=500)})
    found = drop_and_compare(
        LinearRegression(), X, size + 0.1 * rng.normal(size=500), ["size", "twin", "noise"], time=np.arange(500)
    )
    table = found.table.set_index("dropped")
    assert (table["verdict"][[("size",), ("twin",)]] == "no clear change").all()
    together = [dropped for dropped in table.index if len(dropped) > 1]
    assert len(together[0]) == 3
    assert table["verdict"][together[0]] == "worse"
    # Either of the twins may go, both may not.
    assert len({"size", "twin"} & set(found.drop)) == 1
    told = [finding.action for finding in found.findings if "but not together" in finding.action]
    assert len(told) == 1


def test_nothing_goes_where_everything_is_needed():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    found = drop_and_compare(LinearRegression(), X, X.sum(axis=1), ["a", "b"], time=np.arange(300))
    assert found.drop == []
    assert found.table["verdict"].tolist() == ["worse", "worse"]


def test_several_folds_put_their_rows_together(sales):
    X, y = sales
    numbers = X.drop(columns="day")
    folds = list(TimeSplit(3, column="day", test_size=50).split(X))
    found = drop_and_compare(LinearRegression(), X.drop(columns="day"), y, ["noise"], cv=folds)
    squares = [
        (LinearRegression().fit(numbers.iloc[train], y.iloc[train]).predict(numbers.iloc[test]) - y.iloc[test]) ** 2
        for train, test in folds
    ]
    assert found.baseline == pytest.approx(np.sqrt(np.concatenate(squares).mean()))
    timed = drop_and_compare(
        LinearRegression(),
        X.assign(day=X["day"].map(pd.Timestamp.toordinal)),
        y,
        ["noise"],
        cv=TimeSplit(3, column="day", test_size=50),
    )
    assert timed.rows == "later rows"


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        lambda: ForestClassifier(10, n_jobs=1),
        lambda: lambda: ForestClassifier(10, n_jobs=1),
    ],
)
def test_classifiers_pipelines_and_functions_are_compared_by_log_loss(make):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300)})
    y = np.where(X["a"] > 0, "yes", "no")
    found = drop_and_compare(make(), X, y, ["a"], time=np.arange(300))
    assert (found.metric, found.greater_is_better) == ("log loss", False)
    assert found.baseline < 0.25
    assert found.table["score"][0] > 0.6  # a guess has 0.69
    assert found.table["verdict"][0] == "worse"


def test_the_metric_may_be_chosen(sales):
    X, y = sales
    for metric, name in (("mae", "MAE"), ("r2", "R²")):
        found = drop_and_compare(_forest(), X, y, ["size"], time="day", metric=metric)
        assert found.metric == name
        assert found.table["verdict"][0] == "worse"
    with pytest.raises(ValueError, match="metric='accuracy' must be one of rmse, mae, r2"):
        drop_and_compare(_forest(), X, y, ["size"], time="day", metric="accuracy")


def test_models_without_a_seed_draw_alike(sales):
    X, y = sales
    first, second = (drop_and_compare(_forest(), X, y, ["noise"], time="day").table for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    seeded = drop_and_compare(_forest(), X, y, ["noise"], time="day", random_state=7).table
    assert seeded["score"][0] != first["score"][0]
    own = _forest().set_params(random_state=3)
    tables = [drop_and_compare(own, X, y, ["noise"], time="day", random_state=seed).table for seed in (0, 1)]
    pd.testing.assert_frame_equal(*tables)


def test_other_tables_and_arrays_are_read(sales):
    X, y = sales
    told = drop_and_compare(_forest(), X, y, ["noise"], time="day").table
    pd.testing.assert_frame_equal(drop_and_compare(_forest(), pl.from_pandas(X), y, ["noise"], time="day").table, told)
    array = X[["size", "noise"]].to_numpy()
    found = drop_and_compare(RandomForestRegressor(5), array, y, ["x1"], time=X["day"])
    assert found.table["dropped"].tolist() == [("x1",)]


@pytest.mark.parametrize(
    ("columns", "given", "message"),
    [
        (["nosuch"], {}, "unknown 'nosuch'"),
        ([], {}, "nothing to drop"),
        (["size", "noise", "drifting", "day"], {}, "but not all of them"),
        (["size"], {"time": "nosuch"}, "No column 'nosuch'"),
        (["size"], {"time": np.arange(3)}, "time has 3 moments, but X has 400 rows"),
        (["size"], {"cv": 3}, "cv or time, not both"),
    ],
)
def test_bad_columns_and_times_are_refused(sales, columns, given, message):
    X, y = sales
    with pytest.raises(ValueError, match=message):
        drop_and_compare(_forest(), X, y, columns, **{"time": "day"} | given)


def test_bad_targets_models_and_times_are_refused_before_any_fit(sales):
    X, y = sales
    with pytest.raises(ValueError, match="400 rows, but y has 399"):
        drop_and_compare(_forest(), X, y[:-1], ["size"], time="day")
    with pytest.raises(ValueError, match="missing times"):
        drop_and_compare(_forest(), X, y, ["size"], time=X["day"].where(X["noise"] > 0))
    with pytest.raises(ValueError, match="'model_factory' parameter"):
        drop_and_compare("forest", X, y, ["size"], time="day")
    with pytest.raises(TypeError, match="gives no probabilities"):
        drop_and_compare(LinearSVC(), X[["size", "noise"]], y > 0, ["size"], time=X["day"])
    with pytest.raises(ValueError, match="must be a list of columns"):
        drop_and_compare(_forest(), X, y, "size", time="day")


def _turning(n_rows=400, at=200):
    """A market whose trend reverses at a row."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=n_rows)
    price = np.where(np.arange(n_rows) < at, -size, size) + 0.1 * rng.normal(size=n_rows)
    return pd.DataFrame({"size": size}), price, pd.Series(pd.date_range("2020-01-01", periods=n_rows, freq="D"))


def test_recent_rows_are_best_where_the_world_has_turned():
    X, y, day = _turning()
    found = recent_only(LinearRegression(), X, y, time=day)
    assert found.table["n_rows"].tolist() == [320, 240, 160, 80]
    assert found.table["share"].tolist() == [1.0, 0.75, 0.5, 0.25]
    assert found.table["from"].iloc[1] == pd.Timestamp("2020-03-21")
    assert found.best == 0.25
    assert found.table["score"].iloc[3] == pytest.approx(0.1, abs=0.03)
    assert found.table["std_error"].iloc[0] == 0
    assert found.findings[0].severity == 2
    assert "25%" in found.findings[0].text


def test_all_rows_are_best_where_nothing_has_changed():
    X, y, day = _turning(at=0)
    X = X.assign(**{f"noise{k}": np.random.default_rng(k).normal(size=400) for k in range(20)})
    found = recent_only(LinearRegression(), X, y, time=day, shares=[0.5, 0.1])
    assert found.best == 1.0
    assert found.table["share"].tolist() == [1.0, 0.5, 0.1]
    assert found.findings[0].severity == 3


def test_recent_rows_may_be_those_since_a_moment():
    X, y, day = _turning()
    found = recent_only(LinearRegression(), X, y, time=day, since=["2020-07-19", "2020-04-10"])
    assert found.table["from"].tolist() == list(pd.to_datetime(["2020-01-01", "2020-04-10", "2020-07-19"]))
    assert found.best == pytest.approx(120 / 320)
    years = recent_only(LinearRegression(), X, y, time=np.arange(400), since=[200])
    assert years.table["from"].tolist() == [0, 200]


def test_rows_of_one_moment_stay_together():
    X, y, _ = _turning()
    found = recent_only(LinearRegression(), X, y, time=np.repeat(np.arange(10), 40), shares=[0.5, 0.45])
    # 45 % of 320 rows begin within a moment, which comes in whole: both shares are the last four moments.
    assert found.table["n_rows"].tolist() == [320, 160]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"shares": [0]}, ValueError, "shares holds 0"),
        ({"shares": [1.5]}, ValueError, "shares holds 1.5"),
        ({"since": "2020"}, TypeError, r"must be a list of moments, such as \['2020'\]"),
        ({"since": ["2030-01-01"]}, ValueError, "since holds '2030-01-01', but the last training row"),
        ({"since": ["soon"]}, ValueError, "soon"),
    ],
)
def test_bad_shares_and_moments_are_refused(given, error, message):
    X, y, day = _turning()
    with pytest.raises(error, match=message):
        recent_only(LinearRegression(), X, y, time=day, **given)


def test_tables_are_not_changed(sales):
    X, y = sales
    kept = X.copy(), y.copy()
    drop_and_compare(_forest(), X, y, ["noise"], time="day")
    recent_only(_forest(), X, y, time="day", shares=[0.5])
    pd.testing.assert_frame_equal(X, kept[0])
    pd.testing.assert_series_equal(y, kept[1])


def test_plots_show_every_label_as_it_is_and_leave_no_figure_behind(sales):
    from matplotlib import pyplot as plt

    n_figures = len(plt.get_fignums())
    X, y = sales
    ugly = {"noise": "$x^2$ <b>\n😀", "drifting": "a" * 60}
    found = drop_and_compare(_forest(), X.rename(columns=ugly), y, list(ugly.values()), time="day")
    ax = found.plot()
    ax.figure.savefig("/dev/null", format="svg")
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert r"\$x^2\$ <b> 😀" in labels
    assert all(len(label) < 40 for label in labels)
    recent = recent_only(_forest(), X, y, time="day")
    again = recent.plot(ax.figure.add_axes((0, 0, 1, 1)))
    again.figure.savefig("/dev/null", format="svg")
    assert "RMSE" in recent.plot().get_ylabel()
    assert len(plt.get_fignums()) == n_figures


@pytest.mark.real_data("bulldozers/Train.csv")
def test_the_loop_of_the_book_on_the_bulldozers(data_dir):
    X = pd.read_csv(data_dir / "bulldozers/Train.csv", low_memory=False)
    y = np.log(X.pop("SalePrice"))
    forest = ForestRegressor(20, min_samples_leaf=3, n_jobs=1)
    found = drop_and_compare(forest, X, y, ["SalesID", "MachineID", "saledate"], time="saledate")
    verdicts = dict(zip(found.table["dropped"], found.table["verdict"], strict=True))
    assert verdicts[("MachineID",)] != "worse"
    assert verdicts[("saledate",)] == "worse"
    assert "MachineID" in found.drop
    recent = recent_only(forest, X, y, time="saledate", shares=[0.5])
    assert recent.best == 1.0

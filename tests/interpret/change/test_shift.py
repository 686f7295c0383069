"""`domain_shift`: valid p-values, planted columns first, excluded ids and dates, and texts."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import kstest
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from tabrec import ForestClassifier, ForestRegressor
from tabrec.interpret import domain_shift, feature_importance
from tabrec.interpret.change._shift_rounds import auc_of, permutation_p_value


def _draw(seed, n_rows=150, **more):
    rng = np.random.default_rng((17, seed))  # no stream that domain_shift draws from
    table = pd.DataFrame(
        {
            "size": rng.normal(size=n_rows),
            "rooms": rng.integers(0, 5, n_rows),
            "town": rng.choice(["Ulm", "Bonn", "Trier"], n_rows),
        }
    )
    return table.assign(**more)


def _row(shift, column):
    return shift.table.set_index("column").loc[column]


@pytest.fixture(scope="module")
def without_shift():
    """120 pairs of tables from one distribution, each with a unique key."""
    keys = [np.random.default_rng((18, seed)).choice(10**6, 80, replace=False) for seed in range(240)]
    tables = [_draw(seed, 80, key=key) for seed, key in enumerate(keys)]
    return [
        domain_shift(before, after, n_estimators=3, n_permutations=199, random_state=seed)
        for seed, (before, after) in enumerate(zip(tables[::2], tables[1::2], strict=True))
    ]


@pytest.mark.long
def test_p_values_are_uniform_without_shift(without_shift):
    p_values = np.array([shift.rounds["p_value"].iloc[0] for shift in without_shift])
    assert kstest(p_values, "uniform").pvalue > 0.05
    assert np.mean([shift.p_value <= 0.05 for shift in without_shift]) <= 0.05
    assert abs(np.mean([shift.auc for shift in without_shift]) - 0.5) < 0.02


def test_out_of_bag_scores_are_reported_and_lie_below_one_half_without_shift(without_shift):
    assert np.mean([shift.rounds["oob_auc"][0] for shift in without_shift]) < 0.5


def test_a_planted_shift_is_seen_and_its_column_named_first():
    first = []
    for seed in range(20):
        before, after = _draw(seed), _draw(1_000 + seed)
        shift = domain_shift(before, after.assign(size=after["size"] + 0.8), n_estimators=10, random_state=seed)
        first.append(shift.shifted[:1] == ["size"])
    assert np.mean(first) > 0.85


@pytest.mark.parametrize(
    ("change", "column", "how"),
    [
        (lambda t: {"size": t["size"] + 2}, "size", "new values larger"),
        (lambda t: {"size": t["size"] - 2}, "size", "new values smaller"),
        (lambda t: {"size": t["size"] * 4}, "size", "below the smallest in training"),
        (lambda t: {"size": t["size"].where(t["rooms"] > 2)}, "size", "missing more often (0% →"),
        (lambda t: {"rooms": 3}, "rooms", "new values larger"),
        (lambda t: {"town": t["town"].replace("Ulm", "Hof")}, "town", "labels never seen: 3"),
        (lambda t: {"town": "Bonn"}, "town", "'Bonn' more often (3"),
    ],
)
def test_whatever_has_shifted_is_named_with_how(change, column, how):
    before, after = _draw(0, 400), _draw(1, 400)
    shift = domain_shift(before, after.assign(**change(after)), n_estimators=20)
    assert shift.shifted == [column]
    assert how in _row(shift, column)["how"]
    assert _row(shift, column)["auc"] > 0.6
    assert [_row(shift, other)["how"] for other in before if other != column] == ["", ""]


def test_rounds_go_on_until_no_shift_is_left():
    before, after = _draw(0, 400, number=np.arange(400)), _draw(1, 400, number=np.arange(400, 800))
    after["size"] += 1.5
    after["town"] = after["town"].replace("Ulm", "Bonn")
    shift = domain_shift(before, after, n_estimators=20)
    assert shift.rounds["removed_columns"].iloc[0] == ("number",)
    assert shift.shifted == ["number", "size", "town"]
    assert shift.rounds["n_columns"].tolist() == sorted(shift.rounds["n_columns"], reverse=True)
    assert shift.rounds["p_value"].iloc[-1] > 0.01  # the classifier's share of the level
    assert (shift.rounds["p_value"].iloc[:-1] <= 0.01).all()
    assert _row(shift, "number")["reason"].startswith("looks like an id")
    assert _row(shift, "rooms").isna()["removed_in_round"]


def test_rounds_end_when_no_column_is_left():
    shift = domain_shift(pd.DataFrame({"a": np.arange(50.0)}), pd.DataFrame({"a": np.arange(50.0) + 100}))
    assert shift.shifted == ["a"]
    assert len(shift.rounds) == 1


def test_ids_clocks_and_dates_are_set_aside_with_the_reason():
    days = pd.date_range("2020-01-01", periods=600, freq="D")
    shuffled = np.random.default_rng(3).permutation(300)
    whole = {
        "key": [f"A{number:05d}" for number in range(600)],
        "often": np.repeat(np.arange(300), 2)[np.random.default_rng(2).permutation(600)],
        "clock": np.linspace(0, 1, 600),
        "sold": days.astype(str),
    }
    before = _draw(0, 300, **{name: np.asarray(values)[:300] for name, values in whole.items()})
    after = _draw(1, 300, **{name: np.asarray(values)[300:] for name, values in whole.items()}).iloc[shuffled]
    shift = domain_shift(before, after, n_estimators=20)
    assert set(shift.rounds["removed_columns"].iloc[0]) == {"key", "clock", "sold"}
    assert shift.shifted[:3] == list(shift.rounds["removed_columns"].iloc[0])
    assert _row(shift, "clock")["reason"] == "increases or decreases along the training rows"
    assert "100% after the last in training" in _row(shift, "sold")["how"]
    assert "often" not in shift.shifted


def test_dates_in_random_order_are_set_aside_as_dates():
    days = pd.Series(pd.date_range("2020-01-01", periods=600, freq="D"))
    order = np.random.default_rng(0).permutation(300)
    shift = domain_shift(_draw(0, 300, sold=days[order].to_numpy()), _draw(1, 300, sold=days[300 + order].to_numpy()))
    assert shift.shifted == ["sold"]
    assert _row(shift, "sold")["reason"] == "dates of another period"


def test_ids_that_do_not_shift_stay_in_but_are_named_where_the_model_leans_on_them():
    keys = [[f"{number:020d}" for number in np.random.default_rng(s).permutation(10**6)[:200]] for s in (0, 1)]
    before, after = _draw(0, 200, key=keys[0]), _draw(1, 200, key=keys[1])
    shift = domain_shift(before, after, importance={"key": 0.9, "size": 0.1})
    assert shift.shifted == []
    first = shift.findings[0]
    assert (first.kind, first.severity, first.columns) == ("id that matters", 1, ("key",))


@pytest.mark.parametrize(("moved", "severity"), [(0.3, 2), (1.0, 1)])
def test_a_slight_shift_is_no_reason_to_act(moved, severity):
    before, after = _draw(0, 2000), _draw(1, 2000)
    after["size"] += moved * before["size"].std()
    shift = domain_shift(before, after, importance={"size": 0.9, "town": 0.1}, n_permutations=199)
    (found,) = [finding for finding in shift.findings if finding.kind == "shifted column"]
    assert (found.columns, found.severity) == (("size",), severity)
    assert ("slightly" in found.text) == (severity == 2)


def test_two_columns_that_both_tell_are_both_named():
    before, after = _draw(0, 400), _draw(1, 400)
    after["size"] += 1.5
    twin = [table["size"] * 2 + 1 for table in (before, after)]
    shift = domain_shift(before.assign(twin=twin[0]), after.assign(twin=twin[1]), n_estimators=20)
    assert set(shift.shifted) == {"size", "twin"}
    assert (shift.table["shift_importance"].iloc[:2] > 0.05).all()


def test_same_seed_same_result_and_tables_unchanged():
    before, after = _draw(0), _draw(1)
    kept = before.copy(), after.copy()
    first, second = (domain_shift(before, after.assign(size=3.0), random_state=5) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, second.table)
    pd.testing.assert_frame_equal(first.rounds, second.rounds)
    pd.testing.assert_frame_equal(before, kept[0])
    pd.testing.assert_frame_equal(after, kept[1])


def test_the_permutation_p_value_counts_what_reaches_the_observed_auc():
    is_new = np.array([False] * 4 + [True] * 4)
    rng = np.random.default_rng(0)
    assert auc_of(np.arange(8), is_new) == 1.0
    # 1 of the 70 ways to choose 4 of 8 rows reaches an AUC of 1.
    assert permutation_p_value(np.arange(8), is_new, 9_999, rng) == pytest.approx(1 / 70, abs=0.004)
    assert permutation_p_value(np.zeros(8), is_new, 99, rng) == 1.0


@pytest.fixture(scope="module")
def leaning():
    """A forest that uses only size, and new rows with shifted size and town."""
    before, after = _draw(0, 400), _draw(1, 400)
    price = before["size"] * 3 + np.random.default_rng(2).normal(scale=0.1, size=400)
    after["size"] += 1.5
    after["town"] = after["town"].replace("Ulm", "Bonn")
    return ForestRegressor(10, random_state=0, n_jobs=1).fit(before, price), before, after


def test_shifted_columns_that_the_model_leans_on_come_first(leaning):
    forest, before, after = leaning
    shift = domain_shift(before, after, model=forest, n_estimators=20)
    assert shift.table["model_importance"].sum() == pytest.approx(1)
    first = shift.findings[0]
    assert (first.kind, first.severity, first.columns) == ("shifted column", 1, ("size",))
    assert "relies on it" in first.text
    assert [finding.severity for finding in shift.findings if finding.columns == ("town",)] == [3]
    # Without a model nobody knows whether it matters.
    alone = domain_shift(before, after, n_estimators=20)
    assert alone.table["model_importance"].isna().all()
    assert [finding.severity for finding in alone.findings if finding.columns == ("size",)] == [2]


def test_a_column_without_a_clear_importance_is_not_said_to_be_relied_on(leaning):
    forest, before, after = leaning
    rng = np.random.default_rng(0)
    price = before["size"] + rng.normal(size=400)
    found = feature_importance(forest, before[:8], price[:8], "permutation")
    assert not found.is_clear.any()
    worth = found.table.set_index("column")["importance"]
    (told,) = (
        f for f in domain_shift(before, after, importance=found, n_estimators=20).findings if f.columns == ("size",)
    )
    assert worth["size"] == worth.max()
    assert told.severity == 2
    assert "do not show whether the model needs it" in told.text


def test_many_shifted_columns_are_told_in_few_findings():
    rng = np.random.default_rng(0)
    before, after = (pd.DataFrame(rng.normal(size=(300, 40))).add_prefix("c") for _ in range(2))
    after += 1.2
    worth = {name: 1.0 if k < 9 else 0.1 for k, name in enumerate(before)}
    for given in (None, worth):
        shift = domain_shift(before, after, importance=given, n_estimators=20)
        assert len(shift.shifted) > 30
        assert len(shift.findings) <= 12
        named = {name for finding in shift.findings if finding.kind != "domain shift" for name in finding.columns}
        assert named == set(shift.shifted)
    # What the model relies on is never called less urgent.
    unused = {f.columns[0] for f in shift.findings if "Less urgent" in f.action}
    assert unused
    assert not unused & set(list(worth)[:9])


def test_importances_of_parts_are_not_counted_twice_where_they_were_measured_together():
    days = pd.Series(pd.date_range("2020-01-01", periods=300, freq="D"))
    before = _draw(0, 300, sold=days)
    price = np.arange(300) / 100 + before["size"]
    forest = ForestRegressor(20, random_state=0, n_jobs=1).fit(before, price)
    together = feature_importance(forest, before, price, groups="source")
    shares = domain_shift(before, before, importance=together).table.set_index("column")["model_importance"]
    assert shares.sum() == pytest.approx(1)
    table = together.table.set_index("column")["importance"].clip(lower=0)
    raw = ["sold", "size", "rooms", "town"]
    assert shares[raw].to_numpy() == pytest.approx((table[raw] / table[raw].sum()).to_numpy())
    parts = feature_importance(forest, before, price)
    summed = (
        parts.table.assign(importance=parts.table["importance"].clip(lower=0)).groupby("source")["importance"].sum()
    )
    shares = domain_shift(before, before, importance=parts).table.set_index("column")["model_importance"]
    assert shares[raw].to_numpy() == pytest.approx((summed[raw] / summed.sum()).to_numpy())


def test_date_parts_and_gaps_count_for_their_raw_column():
    rng = np.random.default_rng(0)
    days = pd.Series(pd.date_range("2020-01-01", periods=300, freq="D"))
    before = _draw(0, 300, sold=days)
    before.loc[rng.random(300) < 0.2, "size"] = np.nan
    forest = ForestRegressor(5, random_state=0, n_jobs=1).fit(before, np.arange(300.0))
    shift = domain_shift(before, before.assign(sold=days + pd.Timedelta(days=400)), model=forest)
    assert shift.table["column"].tolist()[0] == "sold"
    assert _row(shift, "sold")["model_importance"] > 0.8
    assert shift.table["model_importance"].sum() == pytest.approx(1)


@pytest.mark.parametrize("form", ["series", "dict", "result"])
def test_importances_may_be_given(form):
    given = {"size": 3.0, "town": 1.0, "rooms": -0.5}
    if form == "series":
        given = pd.Series(given)
    if form == "result":
        table = pd.DataFrame({"column": list(given), "importance": list(given.values())})
        given = type("Importance", (), {"table": table})()
    shift = domain_shift(_draw(0), _draw(1), importance=given)
    shares = shift.table.set_index("column")["model_importance"]
    assert shares.to_dict() == {"size": 0.75, "town": 0.25, "rooms": 0.0}


def test_importances_of_other_columns_are_refused():
    with pytest.raises(ValueError, match="none of which is a column of both tables"):
        domain_shift(_draw(0), _draw(1), importance={"colour": 1.0})
    with pytest.raises(TypeError, match="not list"):
        domain_shift(_draw(0), _draw(1), importance=[1, 2])
    with pytest.raises(ValueError, match="must have 'column' and 'importance'"):
        domain_shift(_draw(0), _draw(1), importance=type("Odd", (), {"table": pd.DataFrame({"a": [1]})})())


def test_models_of_other_kinds_are_told_what_to_pass():
    X = _draw(0)[["size"]]
    with pytest.raises(TypeError, match=r"importance=feature_importance\(model"):
        domain_shift(X, X, model=LinearRegression().fit(X, X["size"]))
    with pytest.raises(NotFittedError):
        domain_shift(X, X, model=ForestRegressor())


def test_models_of_odd_shapes_work():
    before, after = _draw(0), _draw(1)
    many = ForestClassifier(5, n_jobs=1, random_state=0).fit(before, np.arange(150) % 30)
    constant = ForestRegressor(1, n_jobs=1, random_state=0).fit(before, np.ones(150))
    assert domain_shift(before, after, model=many).table["model_importance"].sum() == pytest.approx(1)
    assert (domain_shift(before, after, model=constant).table["model_importance"] == 0).all()
    arrays = before[["size", "rooms"]].to_numpy(), after[["size", "rooms"]].to_numpy()
    plain = RandomForestRegressor(5, random_state=0).fit(arrays[0], before["size"])
    assert _row(domain_shift(*arrays, model=plain), "x0")["model_importance"] > 0.9


def test_identical_tables_show_no_shift():
    shift = domain_shift(_draw(0), _draw(0))
    assert shift.p_value > 0.5
    assert shift.shifted == []
    assert [finding.kind for finding in shift.findings] == ["no shift"]
    assert (shift.table["shift_importance"] == 0).all()


def test_a_certain_but_small_shift_names_no_column():
    rng = np.random.default_rng(0)
    before, after = (pd.DataFrame({"a": rng.normal(size=10_000) + move}) for move in (0, 0.14))
    shift = domain_shift(before, after, max_rows=10_000, n_estimators=10)
    assert shift.p_value <= 0.05
    assert shift.auc < 0.55
    assert shift.shifted == []
    assert "every difference is small" in shift.findings[0].text


@pytest.mark.parametrize(
    ("before", "after", "shifted"),
    [
        ({"a": np.nan}, {"a": np.nan}, []),
        ({"a": 1.0}, {"a": 1.0}, []),
        ({"a": 1.0}, {"a": 2.0}, ["a"]),
        ({"a": np.nan}, {"a": "x"}, ["a"]),
        ({"a": True}, {"a": pd.array([True, None] * 20, dtype="boolean")}, ["a"]),
        (
            {"a": pd.Categorical(["x", "y"] * 20)},
            {"a": pd.Categorical(["y", "x"] * 20, categories=["y", "z", "x"])},
            [],
        ),
        ({"a": pd.array([1, 2] * 20, dtype="Int64")}, {"a": [1.0, 2.0] * 20}, []),
        ({"a": pd.date_range("2020", periods=40)}, {"a": pd.date_range("2020", periods=40).strftime("%m/%d/%Y")}, []),
        (
            {"a": pd.date_range("2020", periods=40, tz="UTC")},
            {"a": pd.date_range("2020", periods=40, tz="UTC").tz_convert("Europe/Paris")},
            [],
        ),
        ({"a": ["01/02/2020", "13/02/2020"] * 20}, {"a": ["01/02/2021", "03/04/2021"] * 20}, ["a"]),
        ({"a": [1, "x"] * 20}, {"a": [1, "x"] * 20}, []),
        ({"a": "<b>$x$\n😀"}, {"a": "<i>{}\n$"}, ["a"]),
    ],
)
def test_odd_columns_get_sensible_answers(before, after, shifted):
    rows = pd.DataFrame({"b": np.random.default_rng(0).normal(size=40)})
    shift = domain_shift(rows.assign(**before), rows.assign(**after), n_estimators=20)
    assert shift.shifted == shifted
    shift.plot()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ({"a": 1.5}, {"a": "x"}, "Column 'a' holds numbers such as 1.5 in X_train, but labels such as 'x' in X_new"),
        ({"a": pd.Timestamp("2020")}, {"a": 3}, "Column 'a' holds dates such as .* but numbers such as 3"),
        ({"a": pd.Timestamp("2020")}, {"a": "soon"}, "Column 'a' holds 'soon'"),
        ({"a": pd.Timestamp("2020")}, {"a": pd.Timestamp("2020", tz="UTC")}, "Column 'a' .* time zone in one table"),
        ({"a": np.inf}, {"a": 1.0}, "Column 'a' holds inf"),
    ],
)
def test_columns_of_two_types_are_refused_by_name(before, after, message):
    rows = pd.DataFrame({"b": np.arange(20.0)})
    with pytest.raises(ValueError, match=message):
        domain_shift(rows.assign(**before), rows.assign(**after))


def test_only_shared_columns_are_compared_and_the_others_named():
    shift = domain_shift(_draw(0, price=1.0), _draw(1, colour="red"))
    assert set(shift.table["column"]) == {"size", "rooms", "town"}
    assert [(f.columns, f.text) for f in shift.findings if f.kind == "column of one side"] == [
        (("price",), "Only X_train has price."),
        (("colour",), "Only X_new has colour."),
    ]
    with pytest.raises(ValueError, match="share no column"):
        domain_shift(_draw(0), _draw(0).add_prefix("new_"))


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match=r"X_new has 1 row.*extrapolation_check"):
        domain_shift(_draw(0), _draw(0)[:1])
    with pytest.raises(ValueError, match=r"X_train has 9 row"):
        domain_shift(_draw(0)[:9], _draw(0))
    assert domain_shift(_draw(0), _draw(0)[:10]).p_value > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"level": 0}, "'level' parameter.*Got 0"),
        ({"n_permutations": 0}, "'n_permutations' parameter.*Got 0"),
        ({"n_permutations": 9}, "never reaches its share of level=0.05: use at least 99"),
        ({"max_rows": 5}, "'max_rows' parameter.*Got 5"),
        ({"n_estimators": 2.5}, "'n_estimators' parameter.*Got 2.5"),
    ],
)
def test_parameters_out_of_range_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        domain_shift(_draw(0), _draw(1), **given)


def test_polars_and_arrays_are_read_as_they_come():
    before, after = _draw(0), _draw(1).assign(size=5.0)
    told = domain_shift(pl.from_pandas(before), pl.from_pandas(after))
    assert told.table.equals(domain_shift(before, after).table)
    arrays = domain_shift(before[["size"]].to_numpy(), after[["size"]].to_numpy())
    assert arrays.shifted == ["x0"]


@pytest.mark.long
def test_a_thousand_columns_and_many_rows_of_one_side():
    rng = np.random.default_rng(0)
    before = pd.DataFrame(rng.normal(size=(2_000, 1_000))).add_prefix("c")
    after = pd.DataFrame(rng.normal(size=(100, 1_000))).add_prefix("c")
    after["c7"] += 4
    shift = domain_shift(before, after, n_estimators=20)
    assert shift.shifted[0] == "c7"
    assert len(shift.table) == 1_000
    shift.plot()


def test_plots_show_every_label_as_it_is_and_leave_no_figure_behind():
    from matplotlib import pyplot as plt

    n_figures = len(plt.get_fignums())
    names = ["<b>bold</b>", "$x^2$", "two\nlines", "😀 face", "{brace}", *(f"column {k}" for k in range(40))]
    rng = np.random.default_rng(0)
    before, after = (pd.DataFrame(rng.normal(size=(100, 45)), columns=names) for _ in range(2))
    after[names[:5]] += 3
    bars = domain_shift(before, after).plot()
    bars.figure.savefig("/dev/null", format="svg")
    labels = [label.get_text() for label in bars.get_yticklabels()]
    assert len(labels) == 20
    assert {r"\$x^2\$", "two lines", "<b>bold</b>"} <= set(labels)
    weights = dict(zip(names, np.linspace(1, 0, 45), strict=True))
    points = domain_shift(before, after, importance=weights).plot()
    points.figure.savefig("/dev/null", format="svg")
    assert "two lines" in [text.get_text() for text in points.texts]
    ax = points.figure.add_axes((0, 0, 1, 1))
    assert domain_shift(before, after, importance=weights).plot(ax) is ax
    assert len(plt.get_fignums()) == n_figures


@pytest.mark.real_data("bulldozers/Train.csv", "bulldozers/Valid.csv")
def test_ids_and_dates_of_the_bulldozers_are_named(data_dir):
    before = pd.read_csv(data_dir / "bulldozers/Train.csv", low_memory=False).drop(columns="SalePrice")
    after = pd.read_csv(data_dir / "bulldozers/Valid.csv", low_memory=False)
    shift = domain_shift(before, after, max_rows=2_000, n_estimators=20)
    assert set(shift.rounds["removed_columns"][0]) == {"SalesID", "MachineID", "saledate"}
    assert shift.auc > 0.99
    # What the meter reads and the auction houses have changed, too.
    assert {"datasource", "auctioneerID", "MachineHoursCurrentMeter", "UsageBand"} <= set(shift.shifted[:8])
    assert "missing more often (0% → 59%)" in _row(shift, "MachineHoursCurrentMeter")["how"]
    assert _row(shift, "MachineID")["reason"] == "looks like an id: 9932 values in 10000 training rows"


def test_few_distinct_values_that_all_differ_are_compared_by_their_order():
    rng = np.random.default_rng(0)
    values = rng.permutation(30).astype(float)
    found = domain_shift(pd.DataFrame({"x": values}), pd.DataFrame({"x": values + 1000})).table
    assert found["auc"][0] > 0.95


def test_ids_as_text_have_the_p_value_of_their_order():
    rng = np.random.default_rng(0)

    def rows(first):
        return pd.DataFrame({"id": [f"S{first + i:06d}" for i in range(300)], "x": rng.normal(size=300)})

    found = domain_shift(rows(0), rows(300), n_permutations=99, n_estimators=5)
    row = found.table.set_index("column").loc["id"]
    assert row["p_value"] < 1e-16
    assert row["distance"] == 1
    assert "id has shifted: labels never seen: 100%." in [finding.text for finding in found.findings]


def test_columns_that_differ_only_together_are_not_said_to_have_shifted():
    rng = np.random.default_rng(0)
    train, new = (pd.DataFrame(rng.normal(size=(600, 3)), columns=list("uvx")) for _ in range(2))
    new["v"] = 0.95 * new["u"] + 0.3 * new["v"]
    found = domain_shift(train, new, n_permutations=99, n_estimators=20)
    assert found.table["p_value"].min() > 0.05
    assert set(found.shifted) == {"u", "v"}
    assert not any(" has shifted" in finding.text and "correlation" not in finding.text for finding in found.findings)
    (joint,) = [finding for finding in found.findings if finding.kind == "joint shift"]
    assert (
        joint.text == "The classifier distinguishes the new rows by v, u, which have not clearly shifted by themselves."
    )

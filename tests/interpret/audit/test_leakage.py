"""Leakage: planted leaks rank first, and clean data has no findings."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline

from tabrec import BoostingRegressor, ForestClassifier, ForestRegressor, TabularPreprocessor
from tabrec.datasets import make_auctions
from tabrec.interpret import leakage_check

FAST = {"n_estimators": 12, "n_jobs": 1, "random_state": 0}


def make_frame(n=1500, seed=0):
    """Columns without leakage, and a target that they explain in part."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.uniform(0, 30, n),
            "power": rng.uniform(0, 30, n),
            "hours": np.where(rng.random(n) < 0.3, np.nan, rng.lognormal(5, 1, n)),
            "state": rng.choice(["Ohio", "Utah", "Texas"], n),
            "shop": rng.choice([f"shop {i}" for i in range(200)], n),
            "sold": pd.Timestamp("2010-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "number": rng.permutation(n),
            "key": [f"key {i}" for i in range(n)],
        }
    )
    y = frame["age"] + frame["power"] + 5 * (frame["state"] == "Utah") + rng.normal(0, 4, n)
    return frame, y.to_numpy()


def kinds_of(found):
    return [(f.kind, f.columns) for f in found.findings]


def classes_of(y, n=3):
    return np.array([f"class {i}" for i in range(n)], dtype=object)[pd.qcut(y, n, labels=False)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("target", ["number", "three classes", "rare class"])
def test_honest_data_raise_no_alarm(seed, target):
    frame, y = make_frame(seed=seed)
    y = {"number": y, "three classes": classes_of(y), "rare class": y > np.quantile(y, 0.97)}[target]
    model = (ForestRegressor if target == "number" else ForestClassifier)(**FAST).fit(frame, y)
    for checked in (model, None):
        assert leakage_check(checked, frame, y, random_state=seed).findings == []


@pytest.mark.parametrize("seed", range(3))
def test_made_auctions_hold_no_leak(seed):
    sales = make_auctions(3000, random_state=seed)
    y = sales.pop("SalePrice")
    assert all(f.severity > 1 for f in leakage_check(None, sales, y).findings)


@pytest.mark.parametrize(
    "plant",
    [
        lambda y, rng: y,
        lambda y, rng: -3 * y + 1,
        lambda y, rng: np.exp(y / 10),
        lambda y, rng: y + rng.normal(0, 0.5, len(y)),
        lambda y, rng: np.where(rng.random(len(y)) < 0.01, np.nan, y),
        lambda y, rng: np.round(y).astype(int).astype(str),
        lambda y, rng: pd.Timestamp("2000-01-01") + pd.to_timedelta((y * 100).round(), "D"),
    ],
    ids=["copy", "line", "curve", "noisy", "gaps", "text", "dates"],
)
def test_a_planted_function_of_a_number_is_found_first(plant):
    frame, y = make_frame()
    frame["leak"] = plant(y, np.random.default_rng(0))
    found = leakage_check(None, frame, y)
    assert (found.findings[0].severity, found.findings[0].columns) == (1, ("leak",))
    assert found.table.loc[0, "column"] == "leak"
    assert found.findings[0].kind == "too-good column"


@pytest.mark.long
@pytest.mark.parametrize("n_classes", [2, 30])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_planted_function_of_classes_is_found_first(n_classes, as_text):
    frame, y = make_frame()
    y = classes_of(y, n_classes)
    codes = pd.factorize(y)[0]
    frame["leak"] = [f"code {c * 7 % 31}" for c in codes] if as_text else codes * 7 % 31
    for model in (None, ForestClassifier(3, n_jobs=1, random_state=0, oob_score=False).fit(frame, y)):
        found = leakage_check(model, frame, y)
        assert (found.findings[0].severity, found.findings[0].columns) == (1, ("leak",))
        assert "under another name" in found.findings[0].text


def test_two_columns_whose_weighted_sum_is_the_target_are_found():
    frame, y = make_frame()
    rng = np.random.default_rng(0)
    frame["paid"] = rng.normal(0, 8, len(y))
    frame["left"] = np.where(rng.random(len(y)) < 0.1, np.nan, (y - frame["paid"]) / 2)
    assert kinds_of(leakage_check(None, frame, y)) == [("target of two columns", ("paid", "left"))]
    (found,) = leakage_check(None, frame, y).findings
    assert "1 · paid + 2 · left" in found.evidence
    assert kinds_of(leakage_check(None, frame.drop(columns="left"), y)) == []


def test_numbers_kept_as_text_are_read_as_numbers():
    frame, y = make_frame()
    frame["leak"] = [f"{value:.3f}" for value in y]  # hardly any label occurs twice
    assert ("too-good column", ("leak",)) in kinds_of(leakage_check(None, frame, y))


def test_alone_is_the_r2_of_out_of_fold_means_of_labels():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, 6000)
    y = np.array([0.0, 2.0, 5.0])[level] + rng.normal(size=6000)
    line = leakage_check(None, pd.DataFrame({"a": np.array(list("xyz"))[level]}), y).table.iloc[0]
    means = pd.Series(y).groupby(level).transform("mean")
    assert line["alone"] == pytest.approx(r2_score(y, means), abs=0.001)
    assert 0 < line["alone_error"] < 0.01


def test_the_standard_error_is_the_spread_over_draws():
    scores, errors = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        level = rng.integers(0, 3, 500)
        y = np.array([0.0, 1.0, 3.0])[level] + rng.exponential(size=500)
        line = leakage_check(None, pd.DataFrame({"a": np.array(list("xyz"))[level]}), y).table.iloc[0]
        scores.append(line["alone"])
        errors.append(line["alone_error"])
    assert np.mean(errors) == pytest.approx(np.std(scores), rel=0.25)


def test_labels_of_few_rows_are_drawn_to_the_mean_of_all():
    rng = np.random.default_rng(0)
    shop = rng.integers(0, 300, 1500)
    noise = rng.normal(size=1500)
    X = pd.DataFrame({"shop": [f"shop {k}" for k in shop]})
    # Means of four rows each would be off by a quarter of the variance.
    assert abs(leakage_check(None, X, noise).table["alone"][0]) < 0.03
    # Of a share of one half, the best guess from 4 rows explains 0.5 * 4 / (4 + 1) of the variance.
    half = leakage_check(None, X, rng.normal(size=300)[shop] + noise).table["alone"][0]
    assert half == pytest.approx(0.4, abs=0.06)


def test_what_tells_nothing_is_never_above_chance():
    table = leakage_check(None, *make_frame(4000)).table.set_index("column")
    assert (table.loc[["hours", "shop", "sold", "number", "key"], "alone"] < 0.01).all()


@pytest.mark.parametrize("of_classes", [False, True])
def test_gaps_that_tell_the_target_are_found_first_with_their_effect(of_classes):
    frame, y = make_frame()
    rng = np.random.default_rng(1)
    is_high = y > np.median(y)
    frame["filled later"] = np.where(
        rng.random(len(y)) < np.where(is_high, 0.95, 0.05), np.nan, rng.normal(size=len(y))
    )
    found = leakage_check(None, frame, is_high if of_classes else y)
    assert kinds_of(found)[0] == ("informative missing values", ("filled later",))
    line = found.table.set_index("column").loc["filled later"]
    missing = frame["filled later"].isna()
    expected = np.corrcoef(missing, is_high if of_classes else y)[0, 1] ** 2
    assert line["missing_effect"] == pytest.approx(expected)
    assert line["missing_p"] < 1e-10
    assert found.findings[0].severity == 1


def test_p_values_of_gaps_are_those_of_the_tests_times_the_columns():
    from scipy.stats import ttest_ind

    frame, y = make_frame()
    frame["also"] = frame["hours"].where(np.arange(len(frame)) % 4 > 0)
    y = y + 0.3 * frame["hours"].isna()
    line = leakage_check(None, frame, y).table.set_index("column").loc["hours"]
    missing = frame["hours"].isna()
    assert line["missing_p"] == pytest.approx(min(2 * ttest_ind(y[missing], y[~missing]).pvalue, 1))


def test_small_effects_of_gaps_in_many_rows_are_no_finding():
    rng = np.random.default_rng(0)
    y = rng.normal(size=20_000)
    gaps = rng.random(20_000) < 0.3 + 0.04 * np.sign(y)
    found = leakage_check(None, pd.DataFrame({"a": np.where(gaps, np.nan, 1.0)}), y)
    assert found.table.loc[0, "missing_p"] < 0.01
    assert found.findings == []


@pytest.mark.parametrize("make", [ForestRegressor, ForestClassifier])
def test_ids_in_the_order_of_the_target_matter_but_noise_ids_do_not(make):
    frame, y = make_frame()
    rank = (y + np.random.default_rng(0).normal(0, 5, len(y))).argsort().argsort()
    frame["written"] = 10 * rank + 3
    y = y if make is ForestRegressor else classes_of(y)
    found = leakage_check(make(**FAST).fit(frame, y), frame, y)
    assert ("id that matters", ("written",)) in kinds_of(found)
    assert not any("number" in f.columns for f in found.findings)
    lines = found.table.set_index("column")
    assert lines.loc["written", "importance"] > 0.05
    assert abs(lines.loc["number", "importance"]) < 0.02
    assert np.isnan(lines.loc["age", "importance"])


def test_ids_of_other_models_are_permuted_in_the_rows_given():
    frame, y = make_frame()
    frame["written"] = 10 * y.argsort().argsort() + 3
    half = len(y) // 2
    model = BoostingRegressor(max_iter=20).fit(frame.iloc[:half], y[:half])
    found = leakage_check(model, frame.iloc[half:], y[half:])
    assert found.table.set_index("column").loc["written", "importance"] > 0.15
    assert found.findings[0].columns == ("written",)
    X = frame[["age", "written"]].to_numpy(dtype=int)
    assert leakage_check(LinearRegression().fit(X, y), X, y).table["importance"].notna().sum() == 1


def test_as_many_rows_as_in_fit_are_not_taken_for_those_of_fit():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"key": rng.permutation(600), "size": rng.normal(size=600)})
    y = X["size"].to_numpy() + rng.normal(size=600) + X["key"].to_numpy() / 300
    for make in (ForestRegressor, RandomForestRegressor):
        forest = make(20, random_state=0).fit(X[:300], y[:300])
        held_out = X[300:].reset_index(drop=True)
        found = leakage_check(forest, held_out, y[300:])
        by_hand = 1 - np.mean((y[300:] - forest.predict(held_out)) ** 2) / y[300:].var()
        assert found.score == pytest.approx(by_hand)
        # The same rows with one more are surely not those of fit, and their ids matter as much.
        one_more = leakage_check(forest, X[299:], y[299:]).table.set_index("column").loc["key"]
        told = found.table.set_index("column").loc["key"]
        assert told["importance"] == pytest.approx(one_more["importance"], abs=3 * one_more["importance_error"])
        assert told["importance_error"] == pytest.approx(one_more["importance_error"], rel=0.3)


def test_rows_of_weight_0_and_pipelines_are_judged_out_of_bag_too():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300)})
    y = X["a"].to_numpy() + rng.normal(size=300)
    weights = np.repeat([0, 1], 150)
    forest = ForestRegressor(30, random_state=0).fit(X, y, sample_weight=weights)
    known = forest.oob_prediction_[150:]
    truth = y[150:]
    by_hand = 1 - np.mean((truth - known) ** 2) / truth.var()
    assert leakage_check(forest, X, y).score == pytest.approx(by_hand)
    piped = make_pipeline("passthrough", ForestRegressor(30, random_state=0)).fit(X, y)
    assert leakage_check(piped, X, y).score == pytest.approx(
        1 - np.mean((y - piped[-1].oob_prediction_) ** 2) / y.var()
    )


def test_rows_in_the_order_of_the_target_are_found():
    frame, y = make_frame()
    order = y.argsort()
    found = leakage_check(None, frame.iloc[order].assign(number=0), y[order])
    assert "informative row order" in [f.kind for f in found.findings]
    assert found.row_order > 0.95


def test_a_column_as_good_as_the_model_and_a_perfect_model_are_worth_a_look():
    frame, y = make_frame()
    frame["strong"] = y + np.random.default_rng(0).normal(0, 3, len(y))
    model = ForestRegressor(n_estimators=30, n_jobs=1, random_state=0).fit(frame, y)
    found = leakage_check(model, frame, y)
    assert found.score == pytest.approx(r2_score(y, model.oob_prediction_))
    assert [f.severity for f in found.findings if f.columns == ("strong",)] == [2]
    sum_of_two = 5.0 * (frame["age"] > 10) + 3 * (frame["power"] > 20)
    two = frame[["age", "power"]]
    perfect = leakage_check(ForestRegressor(**FAST).fit(two, sum_of_two), two, sum_of_two)
    assert [f.kind for f in perfect.findings] == ["too good to be true"]


def test_pipelines_polars_tables_encoded_frames_and_held_out_rows_work():
    frame, y = make_frame()
    pipeline = make_pipeline(TabularPreprocessor(), ForestRegressor(**FAST)).fit(frame, y)
    assert 0 < leakage_check(pipeline, frame, y).score <= 1
    model = ForestRegressor(**FAST).fit(frame, y)
    assert leakage_check(model, pl.from_pandas(frame), pl.Series(y)).score == leakage_check(model, frame, y).score
    held_out, y_held = make_frame(seed=9)
    assert leakage_check(model, held_out, y_held).score == pytest.approx(r2_score(y_held, model.predict(held_out)))
    leakage_check(None, TabularPreprocessor().fit_transform(frame), y)


@pytest.mark.parametrize("bootstrap", [True, False])
def test_forests_without_bootstrap_and_single_trees_in_them_work(bootstrap):
    frame, y = make_frame(200)
    model = ForestRegressor(1, bootstrap=bootstrap, oob_score=False, n_jobs=1).fit(frame, y)
    assert np.isfinite(leakage_check(model, frame, y).score)


def test_constants_missing_columns_empty_categories_and_few_rows_work():
    frame = pd.DataFrame(
        {
            "one": [1.0] * 12,
            "none": [np.nan] * 12,
            "c": pd.Categorical(list("abab") * 3, categories=["never", "a", "b"]),
            "flag": [True, False, False] * 4,
        }
    )
    found = leakage_check(None, frame, np.arange(12.0))
    assert np.isfinite(found.table["alone"]).all()
    found.plot()


def test_errors_say_what_is_wrong():
    frame, y = make_frame(100)
    with pytest.raises(NotFittedError):
        leakage_check(ForestRegressor(), frame, y)
    with pytest.raises(ValueError, match="y is constant"):
        leakage_check(None, frame, np.ones(100))
    with pytest.raises(ValueError, match="2 columns"):
        leakage_check(None, frame, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="100 rows"):
        leakage_check(None, frame, y[:50])
    with pytest.raises(ValueError, match="'max_rows' parameter.*Got 3"):
        leakage_check(None, frame, y, max_rows=3)
    with pytest.raises(ValueError, match="state"):
        leakage_check(ForestRegressor(**FAST).fit(frame, y), frame.drop(columns="state"), y)


def test_a_sample_is_repeatable_and_the_callers_frame_stays():
    frame, y = make_frame()
    kept = frame.copy()
    first, second = (leakage_check(None, frame, y, max_rows=300, random_state=2).table for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(frame, kept)


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_thousand_columns_and_ugly_labels_are_drawn_and_no_figure_is_left():
    rng = np.random.default_rng(0)
    names = ["<b>a</b>", "$\\frac{1$", "🚜\nnew line", "x" * 90, *[f"c{i}" for i in range(996)]]
    X = pd.DataFrame(rng.normal(size=(80, 1000)), columns=names)
    found = leakage_check(None, X, X["$\\frac{1$"] + X["🚜\nnew line"] / 2)
    ax = found.plot()
    ax.figure.savefig("/dev/null", format="svg")
    assert len(ax.get_yticklabels()) == 25
    assert plt.get_fignums() == []


@pytest.mark.real_data("bulldozers/Train.csv")
def test_bulldozers_hold_no_leak_but_a_planted_one_is_found(data_dir):
    sales = pd.read_csv(data_dir / "bulldozers/Train.csv", low_memory=False)
    y = np.log(sales.pop("SalePrice"))
    assert all(f.severity > 1 for f in leakage_check(None, sales, y).findings)
    found = leakage_check(None, sales.assign(commission=np.exp(y) * 0.05 + 100), y)
    assert found.findings[0].columns == ("commission",)


def copies_of(found):
    return [finding for finding in found.findings if finding.kind in ("copied rows", "copies across the split")]


def test_copies_across_the_split_and_within_are_found_beside_their_effect_on_the_score():
    frame, y = make_frame(600)
    train, valid = np.r_[0:400, 0:20], np.r_[400:600, 50:90]  # 20 copies within, 40 of 240 across
    X = frame.iloc[train].assign(key=[f"new {i}" for i in range(420)])
    forest = ForestRegressor(10, random_state=0, n_jobs=1).fit(X, y[train])
    for fitted, severity in ((None, 2), (forest, 1)):
        across, within = copies_of(leakage_check(fitted, X, y[train], frame.iloc[valid], y[valid]))
        assert across.text.startswith("40 held-out rows (16.7%) equal a training row in every column but ")
        assert within.text.startswith("20 training rows (4.8%) equal an earlier one in every column but ")
        assert (across.severity, within.severity) == (severity, 2)
        assert "key" in across.text
    gains = np.abs(forest.predict(frame.iloc[valid]) - y[valid]) ** 2
    assert f"RMSE {gains[200:].mean() ** 0.5:.4g} on them and {gains[:200].mean() ** 0.5:.4g} on" in across.evidence


def test_a_table_of_copies_alone_is_found():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 200, 600)
    frame, y = pd.DataFrame(rng.normal(size=(200, 3)), columns=list("abc")), rng.normal(size=200)
    X, target = frame.iloc[rows], y[rows]
    across, within = copies_of(leakage_check(None, X[:400], target[:400], X[400:], target[400:]))
    seen = np.isin(rows[400:], rows[:400])
    assert across.text.startswith(f"{seen.sum()} held-out rows ({seen.mean():.1%})")
    assert within.text.startswith(f"{400 - len(np.unique(rows[:400]))} training rows")


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_are_equal_by_chance_are_no_copies(seed):
    rng = np.random.default_rng(seed)
    frame, y = make_frame(600, seed)
    assert not copies_of(leakage_check(None, frame[:400], y[:400], frame[400:], y[400:]))
    labels = pd.DataFrame({name: rng.choice(list("abcd"), 600) for name in ("x", "y", "z")})
    for name in "uvw":
        labels[name] = labels["x"] + name  # the same label in other words
    target = np.where(rng.random(600) < 0.3, "yes", "no")
    assert not copies_of(leakage_check(None, labels[:400], target[:400], labels[400:], target[400:]))


def test_held_out_rows_need_their_target():
    frame, y = make_frame(60)
    with pytest.raises(ValueError, match="X_valid and y_valid belong together"):
        leakage_check(None, frame, y, frame)

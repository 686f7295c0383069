"""Redundancy: Spearman's correlation, its clusters, relabelled categories, and the dendrogram."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from tabrec import TabularPreprocessor
from tabrec.datasets import make_auctions
from tabrec.interpret import cluster_columns, redundancy
from tabrec.interpret.reliance.redundant_columns import _lambda


def make_frame(n=400, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.lognormal(size=n)
    return pd.DataFrame(
        {
            "size": size,
            "log size": np.log(size),
            "minus size": -(size**3),
            "noise": rng.normal(size=n),
            "one": np.ones(n),
        }
    )


def test_correlation_is_spearmans_and_the_linkage_is_of_its_distances():
    frame = make_frame().drop(columns="one")
    frame["tied"] = np.random.default_rng(1).integers(0, 4, len(frame)) + (frame["size"] > 1)
    found = redundancy(frame)
    expected = spearmanr(frame.to_numpy()).statistic
    np.testing.assert_allclose(found.correlation.to_numpy(), expected, atol=1e-12)
    distance = 1 - np.abs(expected)
    np.fill_diagonal(distance, 0)
    np.testing.assert_allclose(
        found.linkage[:, 2], linkage(squareform(distance, checks=False), "average")[:, 2], atol=1e-9
    )


def test_a_column_its_monotone_functions_and_its_negative_are_one_cluster():
    found = redundancy(make_frame())
    assert found.clusters == [["size", "log size", "minus size"]]
    assert found.table.loc[0, "distance"] == 0
    assert set(found.findings[0].columns) == {"size", "log size", "minus size"}


def test_long_ids_are_ranked_without_ties():
    order = np.arange(100)
    shuffled = np.random.default_rng(0).permutation(100)
    found = redundancy(pd.DataFrame({"id": 3_000_000_000 + order, "row": order / 7, "other": 2**40 + shuffled}))
    assert found.correlation.loc["id", "row"] == pytest.approx(1, abs=1e-12)
    assert found.correlation.loc["other", "id"] == pytest.approx(np.corrcoef(shuffled, order)[0, 1], abs=1e-12)


def test_a_constant_is_named_and_far_from_everything():
    found = redundancy(make_frame())
    assert found.constants == ["one"]
    with_it = found.table[(found.table["column_a"] == "one") | (found.table["column_b"] == "one")]
    assert (with_it["distance"] == 1).all()
    assert np.isfinite(found.linkage).all()


def test_a_rare_value_outside_the_sample_is_no_constant():
    X = pd.DataFrame({"a": np.zeros(5000), "b": np.arange(5000.0), "c": 1.0})
    X.loc[4999, "a"] = 1.0
    found = redundancy(X, max_rows=50)
    assert found.constants == ["c"]


def test_pairs_come_closest_first_each_once():
    table = redundancy(make_frame()).table
    assert len(table) == 10
    assert table["distance"].is_monotonic_increasing
    np.testing.assert_allclose(table["distance"], 1 - table["correlation"].abs(), atol=1e-11)


def test_categories_under_other_labels_are_found_though_their_codes_do_not_correlate():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, 2000)
    frame = pd.DataFrame({"short": np.array(list("abcdef"))[codes], "long": np.array(list("uxzvyw"))[codes]})
    frame["other"] = rng.choice(list("abcdef"), 2000)
    frame["id"] = [f"row {i}" for i in range(2000)]
    frame["id again"] = [f"{i} of all" for i in rng.permutation(2000)]
    found = redundancy(frame)
    assert abs(found.correlation.loc["short", "long"]) < 0.9
    first = found.table.iloc[0]
    assert {first["column_a"], first["column_b"]} == {"short", "long"}
    assert first["determines"] == 1
    assert [f.columns for f in found.findings] == [("short", "long")]


def test_each_row_is_judged_by_the_others():
    # Label 0 occurs equally often with 0 and 1, so every left-out row is predicted wrongly. Label 2 occurs alone.
    codes, other = np.array([0, 0, 0, 0, 1, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 2, 2, 2])
    assert _lambda(codes, other) == 0
    assert _lambda(codes[4:], other[:4]) == 0
    # 6 of 8 are right where the most common of all is right for 4.
    codes, other = np.array([0, 0, 0, 0, 1, 1, 1, 2]), np.array([0, 0, 0, 1, 2, 2, 2, 2])
    assert _lambda(codes, other) == (6 / 8 - 4 / 8) / (1 - 4 / 8)


def test_determines_counts_the_rows_that_differ():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 4000)
    changed = np.where(rng.random(4000) < 0.04, rng.integers(0, 4, 4000), codes)
    frame = pd.DataFrame({"a": np.array(list("abcd"))[codes], "b": np.array(list("mkln"))[changed]})
    assert redundancy(frame).table.loc[0, "determines"] == pytest.approx(0.96, abs=0.015)


def test_parts_of_dates_and_indicators_know_their_source():
    frame = pd.DataFrame(
        {
            "sold": pd.date_range("2010-01-01", periods=300),
            "hours": np.where(np.arange(300) % 3, np.nan, np.arange(300)),
        }
    )
    found = redundancy(frame)
    assert found.sources["soldElapsed"] == found.sources["soldYear"] == "sold"
    assert found.sources["hours"] == found.sources["hours_na"] == "hours"


def test_an_encoded_frame_is_used_as_it_is():
    sales = make_auctions(500, random_state=0)
    raw, encoded = redundancy(sales), redundancy(TabularPreprocessor("forest").fit_transform(sales))
    pd.testing.assert_frame_equal(raw.correlation, encoded.correlation)
    assert raw.clusters == encoded.clusters


def test_the_callers_frame_stays_and_a_seed_gives_the_same_sample():
    frame = make_frame(3000)
    before = frame.copy()
    first, second = (redundancy(frame, max_rows=500, random_state=3).correlation for _ in range(2))
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("frame", [pd.DataFrame({"a": [1.0, 2.0]}), pd.DataFrame({"a": [1.0], "b": ["x"]})], ids=str)
def test_one_column_or_one_row_is_no_cluster(frame):
    found = redundancy(frame)
    assert found.clusters == []
    found.plot()


def test_arrays_with_nan_work():
    X = np.random.default_rng(0).normal(size=(200, 3))
    X[:, 2] = X[:, 0]
    X[:20, 1] = np.nan
    assert redundancy(X).clusters == [["x0", "x2"]]


@pytest.mark.parametrize(
    ("name", "value"), [("threshold", 1.5), ("threshold", -0.1), ("max_rows", 1), ("max_rows", 2.5)]
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        redundancy(make_frame(), **{name: value})


def test_a_thousand_columns_are_drawn_cut_to_the_closest():
    X = np.random.default_rng(0).normal(size=(300, 1000))
    X[:, 999] = X[:, 0]
    found = redundancy(X)
    ax = found.plot()
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    assert found.clusters == [["x0", "x999"]]
    assert len(labels) == 80
    assert {"x0", "x999"} <= set(labels)


@pytest.mark.filterwarnings("ignore:Glyph")
def test_ugly_labels_are_drawn_and_no_figure_is_left():
    frame = make_frame().set_axis(["<b>a</b>", "$\\frac{1$", "🚜\nnew line", "x" * 90, "a_b^c"], axis=1)
    axes = cluster_columns(frame)
    axes.figure.savefig("/dev/null", format="svg")
    assert plt.get_fignums() == []
    own = plt.figure().subplots()
    assert cluster_columns(frame, ax=own) is own
    plt.close("all")


@pytest.mark.real_data("bulldozers/Train.csv")
def test_bulldozers_product_groups_and_models_are_redundant(data_dir):
    sales = pd.read_csv(data_dir / "bulldozers/Train.csv", low_memory=False).drop(columns="SalePrice")
    found = redundancy(sales)
    assert ["ProductGroup", "ProductGroupDesc"] in found.clusters
    assert ["fiModelDesc", "fiBaseModel"] in found.clusters
    assert ["saleYear", "saleElapsed"] in found.clusters

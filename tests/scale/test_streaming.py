"""Nets on chunks: equal to a fit in memory where the rows fit, and trained in blocks where they do not."""

import numpy as np
import pytest

from tabrec import TabularClassifier, TabularRegressor
from tabrec.datasets import make_auctions
from tabrec.preprocess import TabularPreprocessor
from tabrec.scale import FileChunks, FrameChunks
from tabrec.scale.encoded_table import EncodedTable
from tabrec.scale.row_draw import RowDraw
from tabrec.scale.streaming import read_blocks
from tabrec.scale.target_column import TargetColumn

COLUMNS = [
    "SalesID",
    "SalePrice",
    "YearMade",
    "MachineHoursCurrentMeter",
    "UsageBand",
    "saledate",
    "ProductGroup",
    "state",
]
SALES = make_auctions(1000, random_state=0)[COLUMNS]
FEATURES, LOG_PRICE = SALES.drop(columns=["SalePrice", "SalesID"]), np.log(SALES["SalePrice"])
SETTINGS = {"epochs": 2, "layers": (20,), "random_state": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sales")
    for position, start in enumerate(range(0, 1000, 250)):
        SALES[start : start + 250].to_parquet(path / f"{position}.parquet", row_group_size=100, index=False)
    return path


def test_a_net_is_that_of_the_whole_table_where_its_rows_fit(folder):
    whole = TabularRegressor(**SETTINGS).fit(FEATURES, LOG_PRICE)
    for chunks in (FileChunks(folder, chunk_rows=130), FrameChunks([SALES[:300], SALES[300:]])):
        chunked = TabularRegressor(**SETTINGS).fit(chunks.drop(["SalesID"]), "log(SalePrice)")
        assert np.array_equal(chunked.predict(chunks).head(2_000)["prediction"], whole.predict(FEATURES))
        assert chunked.history_["train_loss"].tolist() == whole.history_["train_loss"].tolist()


def test_a_net_with_rows_held_out_is_fitted_where_its_rows_fit(folder):
    net = TabularRegressor(**SETTINGS, validation_fraction=0.2).fit(FileChunks(folder), "log(SalePrice)")
    assert np.isfinite(net.history_["valid_loss"]).all()


def make_table(folder, n_drawn=0):
    chunks = FileChunks(folder, chunk_rows=70)
    preprocessor = TabularPreprocessor().fit(chunks.drop(["SalePrice"]))
    left_out = RowDraw(1000, n_drawn, seed=5) if n_drawn else None
    return EncodedTable(chunks, TargetColumn("SalePrice"), preprocessor, True, 1000), left_out


@pytest.mark.parametrize(
    ("n_drawn", "n_rows", "batch_size"), [(0, 300, 64), (100, 300, 64), (0, 111, 111), (200, 5, 32)]
)
def test_blocks_hold_every_row_once_in_whole_batches_and_in_another_order_in_every_epoch(
    folder, n_drawn, n_rows, batch_size
):
    table, left_out = make_table(folder, n_drawn)
    orders = []
    for epoch in range(2):
        blocks = list(read_blocks(table, left_out, epoch, n_rows, batch_size))
        assert all(len(block) % batch_size == 0 for block in blocks[:-1])
        assert len(blocks[-1]) > 1
        assert len(blocks[0]) <= max(n_rows, batch_size) + 1
        orders.append(np.concatenate([block.encoded["SalesID"] for block in blocks]))
        prices = np.concatenate([block.y for block in blocks])
        assert np.array_equal(prices, SALES.set_index("SalesID")["SalePrice"].loc[orders[-1]])
    expected = set(SALES["SalesID"])
    if left_out is not None:
        drawn = table.draw(left_out)[0].encoded["SalesID"]
        assert len(drawn) == n_drawn
        expected -= set(drawn)
    assert set(orders[0]) == set(orders[1]) == expected
    assert len(orders[0]) == len(expected)
    assert not np.array_equal(orders[0], orders[1])


@pytest.mark.parametrize("validation_fraction", [None, 0.2])
def test_a_net_learns_from_blocks_about_as_well_as_from_resident_rows(folder, validation_fraction):
    settings = SETTINGS | {"epochs": 12, "validation_fraction": validation_fraction}
    chunks = FileChunks(folder, memory="300KB").drop(["SalesID"])
    net = TabularRegressor(**settings).fit(chunks, "log(SalePrice)")
    again = TabularRegressor(**settings).fit(chunks, "log(SalePrice)")
    whole = TabularRegressor(**settings).fit(FEATURES, LOG_PRICE)
    new = make_auctions(2000, random_state=1)
    errors = [np.mean((model.predict(new) - np.log(new["SalePrice"])) ** 2) for model in (net, whole)]
    assert errors[0] < 1.15 * errors[1]
    assert errors[0] < 0.9 * np.var(np.log(new["SalePrice"]))
    assert np.array_equal(net.predict(new), again.predict(new))
    assert not hasattr(net, "sample_rows_")
    if validation_fraction is not None:
        assert np.isfinite(net.history_["valid_loss"]).all()


def test_a_classifier_learns_all_classes_from_blocks(folder):
    chunks = FileChunks(folder, memory="300KB").drop(["SalesID"])
    net = TabularClassifier(**SETTINGS).fit(chunks, "ProductGroup")
    assert net.classes_.tolist() == sorted(SALES["ProductGroup"].unique())
    assert net.predict_proba(chunks).head(2_000).columns.tolist() == net.classes_.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_nets": 3}, "n_nets=3 needs all rows in memory"),
        ({"class_weight": "balanced"}, "class_weight='balanced' needs all rows in memory"),
    ],
)
def test_parameters_that_need_all_rows_are_refused_where_they_do_not_fit(folder, options, message):
    with pytest.raises(ValueError, match=message):
        TabularClassifier(**SETTINGS, **options).fit(FileChunks(folder, memory="300KB"), "ProductGroup")

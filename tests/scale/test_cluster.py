"""Connections to Ray, and the commands that read tables in chunks."""

import os
import re
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from tabrec import BoostingRegressor
from tabrec.datasets import make_auctions
from tabrec.runs import TableRun, train_on_chunks
from tabrec.scale import FileChunks, FrameChunks, RayChunks, cluster, parallel_on_ray
from tabrec.scale.kept_rows import hold_out
from tabrec.scale.row_draw import RowDraw

SALES = make_auctions(1_200, random_state=0)[["SalesID", "SalePrice", "YearMade", "UsageBand", "saledate", "state"]]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "sales"
    path.mkdir()
    for number, start in enumerate(range(0, 1_200, 500)):
        SALES[start : start + 500].to_parquet(path / f"{number}.parquet", row_group_size=200, index=False)
    return path


def test_rows_held_out_and_the_others_are_the_table(folder):
    chunks, draw = FileChunks(folder, chunk_rows=130), RowDraw(1_200, 100, 3)
    kept, held = hold_out(chunks, draw)
    assert (kept.n_rows, held.n_rows) == (1_100, 100)
    together = pd.concat([kept.head(2_000), held.head(2_000)]).sort_values("SalesID")
    assert together["SalesID"].tolist() == sorted(SALES["SalesID"])
    by_shard = pd.concat([shard.head(2_000) for shard in kept.split(3)])
    assert by_shard["SalesID"].tolist() == kept.head(2_000)["SalesID"].tolist()
    assert list(kept.select(["state"]).schema) == ["state"]


def test_a_run_on_chunks_is_scored_on_rows_that_its_model_has_not_seen(folder):
    run = train_on_chunks(FileChunks(folder), "SalePrice", log_target=True, model="boosting", refit=False)
    rows = run.predictions["row"].to_numpy()
    assert len(rows) == run.metadata["rows"]["validation"] == 240
    np.testing.assert_allclose(run.predictions["actual"], SALES["SalePrice"].iloc[rows])
    log_error = np.log(run.predictions["predicted"] / run.predictions["actual"])
    assert run.metrics["validation"]["rmse"] == pytest.approx(np.sqrt((log_error**2).mean()))
    seen = np.delete(np.arange(1_200), rows)
    expected = type(run.model)(**run.model.get_params(deep=False)).fit(
        FrameChunks([SALES.iloc[seen]]), "log(SalePrice)"
    )
    np.testing.assert_array_equal(run.model.predict(SALES), expected.predict(SALES))


def test_a_run_of_classes_and_its_refusals(folder):
    table = SALES.assign(kind=np.where(SALES["YearMade"] > 2000, "new", "old"))
    run = train_on_chunks(FrameChunks([table[:600], table[600:]]), "kind", model="forest", random_state=1)
    assert run.metrics["validation"]["accuracy"] > run.metrics["baseline"]["accuracy"]
    assert {"probability_new", "probability_old"} <= set(run.predictions)
    with pytest.raises(ValueError, match=r"'UsageBand' is missing .*/sales/0.parquet.* the first is row \d+"):
        train_on_chunks(FileChunks(folder), "UsageBand")
    odd = SALES.assign(SalePrice=SALES["SalePrice"].where(SALES.index != 3, 0))
    with pytest.raises(ValueError, match="'SalePrice' is not positive.* the first is row 3 "):
        train_on_chunks(FrameChunks([odd]), "SalePrice", log_target=True)
    with pytest.raises(ValueError, match="constant"):
        train_on_chunks(FrameChunks([SALES.assign(y=1.0)]), "y")


def test_the_command_line_trains_and_predicts_in_chunks(run, folder):
    _, out, _ = run(
        "train", folder, "--target", "SalePrice", "--log-target", "--on", "files", "--out", "r", "--no-refit"
    )
    assert "validation" in out
    _, out, _ = run("predict", "r", folder, "--on", "files", "--id", "SalesID", "-o", "p.parquet")
    assert "1,200 predictions of SalePrice are in p.parquet" in out
    written, opened = pd.read_parquet("p.parquet"), TableRun.open("r")
    assert written.columns.tolist() == ["SalesID", "SalePrice"]
    np.testing.assert_allclose(written["SalePrice"], opened.predict(SALES)["SalePrice"])
    with pytest.raises(ValueError, match="trained on a table in chunks"):
        opened.explain()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "2"], "--workers requires --on"),
        (["--on", "spark"], "--on spark must be files, ray"),
        (["--on", "files", "--workers", "2"], "--workers requires --on ray"),
        (["--on", "files", "--cv", "3"], "--cv is for tables in memory"),
        (["--on", "files", "--memory", "much"], "--memory 'much' must be a positive number"),
    ],
)
def test_options_that_do_not_go_together_are_named(run, folder, options, message):
    code, _, said = run("train", folder, "--target", "SalePrice", *options)
    assert code == 2
    assert message in " ".join(said.split())


def test_addresses_and_workers_are_checked_before_ray_is_needed():
    for address in ("spark", "ray://", "ray://a b"):
        with pytest.raises(ValueError, match="must be 'ray' or the address of a head"), cluster(address):
            pass
    with pytest.raises(ValueError, match="workers=0 must be at least 1"), cluster(workers=0):
        pass
    with pytest.raises(ValueError, match="has its own number"), cluster("ray://host", workers=2):
        pass


def test_without_ray_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'tabrec[ray]'")), cluster():
        pass


class TestOnACluster:
    def test_files_are_read_by_the_workers(self, ray, folder):
        files = FileChunks(folder, chunk_rows=90)
        chunks = RayChunks.of_files(files)
        assert chunks.schema == files.schema
        pd.testing.assert_frame_equal(
            chunks.head(2_000).astype({"state": object}), files.head(2_000).astype({"state": object}), check_dtype=False
        )
        kept, held = hold_out(chunks, RowDraw(1_200, 100, 3))
        expected = hold_out(files, RowDraw(1_200, 100, 3))
        assert kept.n_rows == 1_100
        assert kept.select(["SalesID"]).head(2_000).equals(expected[0].select(["SalesID"]).head(2_000))
        assert held.head(2_000)["SalesID"].tolist() == expected[1].head(2_000)["SalesID"].tolist()

    def test_csv_files_and_damage(self, ray, tmp_path):
        for number in range(2):
            SALES[number * 600 : (number + 1) * 600].to_csv(tmp_path / f"{number}.csv", index=False)
        chunks = RayChunks.of_files(FileChunks(tmp_path))
        assert chunks.n_rows == 1_200
        (tmp_path / "1.csv").write_text("SalesID,SalePrice\n1,2,3\n")
        with pytest.raises(Exception, match=r"1\.csv cannot be read"):
            chunks.head(2_000)

    def test_a_run_is_that_of_files(self, ray, folder):
        options = {"log_target": True, "model": "boosting"}
        expected = train_on_chunks(FileChunks(folder), "SalePrice", **options)
        found = train_on_chunks(RayChunks.of_files(FileChunks(folder)), "SalePrice", **options)
        assert found.metrics == expected.metrics
        pd.testing.assert_frame_equal(found.predictions, expected.predictions)
        assert np.array_equal(found.model.predict(SALES), expected.model.predict(SALES))

    def test_the_command_line_trains_on_workers(self, ray, run, folder):
        _, out, _ = run("train", folder, "--target", "SalePrice", "--on", "ray", "--model", "boosting", "--out", "r")
        assert "1,200 rows on" in out
        run("predict", "r", folder, "--on", "ray", "-o", "p.parquet")
        np.testing.assert_allclose(
            pd.read_parquet("p.parquet")["SalePrice"], TableRun.open("r").predict(SALES)["SalePrice"]
        )

    def test_a_search_of_scikit_learn_runs_on_the_workers(self, ray):
        search = GridSearchCV(BoostingRegressor(max_iter=3, random_state=0), {"max_leaf_nodes": [3, 7]}, cv=2)
        X, y = SALES.drop(columns="SalePrice"), SALES["SalePrice"]
        with parallel_on_ray():
            pids = joblib.Parallel()(joblib.delayed(os.getpid)() for _ in range(4))
            found = clone(search).fit(X, y)
        assert (os.getpid() in pids) == (ray.cluster_resources()["CPU"] == 1)
        expected = clone(search).fit(X, y).cv_results_["mean_test_score"]
        np.testing.assert_array_equal(found.cv_results_["mean_test_score"], expected)

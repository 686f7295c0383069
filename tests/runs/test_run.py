"""`Run.open`: one pass over the files of a saved run, for tables and for ratings."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tabrec import ForestRegressor, save
from tabrec.datasets import make_auctions, make_ratings
from tabrec.runs import RatingRun, RecommenderRun, Run, TableRun, rate, train

pytestmark = pytest.mark.usefixtures("small_models")

AUCTIONS = make_auctions(300, random_state=0)[["SalePrice", "YearMade", "ProductSize", "saledate"]]


@pytest.fixture(scope="module")
def runs():
    ratings = make_ratings(300, n_users=20, n_items=40, random_state=0)
    return {"table": train(AUCTIONS, "SalePrice", log_target=True), "ratings": rate(ratings, model="bayes")}


@pytest.fixture(scope="module")
def folders(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {name: run.save(folder / name) for name, run in runs.items()}


@pytest.mark.parametrize("name", ["table", "ratings"])
def test_a_saved_run_is_opened_as_it_was(runs, folders, name):
    run, opened = runs[name], Run.open(folders[name])
    assert type(opened) is type(run)
    assert opened.metadata == run.metadata
    known = {k: {m: v for m, v in scores.items() if v == v} for k, scores in run.metrics.items()}
    assert opened.metrics == known
    pd.testing.assert_frame_equal(opened.predictions, run.predictions)
    assert opened.folder == run.folder == folders[name]


def test_predictions_are_in_the_units_of_the_target(runs):
    run = runs["table"]
    predicted = run.predict(AUCTIONS.head(5))
    np.testing.assert_array_equal(predicted["SalePrice"], np.exp(run.model.predict(AUCTIONS.head(5))))
    assert predicted["row"].tolist() == [0, 1, 2, 3, 4]


def test_every_file_is_read_once(folders, monkeypatch):
    read = Counter()
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.update([path.name]) or read_bytes(path))
    Run.open(folders["table"]).predict(AUCTIONS.head(5))
    assert read == {path.name: 1 for path in (folders["table"] / "model").iterdir()}


def test_each_kind_refuses_the_other(folders):
    with pytest.raises(ValueError, match="not a recommender: use `tabrec predict`"):
        RecommenderRun.open(folders["table"])
    with pytest.raises(ValueError, match="which does not predict ratings"):
        RatingRun.open(folders["table"])
    with pytest.raises(ValueError, match="not a model for tables: use `tabrec recommend`"):
        TableRun.open(folders["ratings"])


def test_what_is_not_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not hold a run"):
        Run.open(tmp_path)
    save(ForestRegressor(), tmp_path / "model")
    with pytest.raises(ValueError, match="holds ForestRegressor, without the metadata of a run"):
        Run.open(tmp_path)


def test_a_folder_with_the_model_alone_predicts(runs, folders, tmp_path):
    shutil.copytree(folders["table"] / "model", tmp_path / "model")
    opened = Run.open(tmp_path)
    assert (opened.metrics, opened.predictions) == ({}, None)
    pd.testing.assert_frame_equal(opened.predict(AUCTIONS), runs["table"].predict(AUCTIONS))

"""Datasets of Ray as chunks: the same results as of files, whatever happens to the workers."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import tabrec
from tabrec import (
    EASE,
    BayesianFactorization,
    BoostingRegressor,
    ForestClassifier,
    ForestRegressor,
    ImplicitALS,
    TabularPreprocessor,
    TabularRegressor,
)
from tabrec.datasets import make_auctions, make_interactions
from tabrec.scale import FrameChunks, RayChunks, predict_to

COLUMNS = ["SalePrice", "YearMade", "MachineHoursCurrentMeter", "UsageBand", "saledate", "ProductGroup", "state"]
SALES = make_auctions(1_000, random_state=0)[COLUMNS]
SALES = SALES.astype(dict.fromkeys(SALES.select_dtypes(exclude=["number", "datetime", "bool"]).columns, "category"))
FRAMES = FrameChunks([SALES[:500], SALES[500:]])


@pytest.fixture(scope="module")
def sales(ray):
    parts = [SALES[start : start + 130].astype({"UsageBand": object, "state": object}) for start in range(0, 1000, 130)]
    return RayChunks(ray.data.from_pandas(parts), chunk_rows=60)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*were drawn by every tree")
class TestOnACluster:
    def test_rows_are_in_order(self, sales):
        assert sales.n_rows == 1000
        assert max(map(len, sales)) == 60
        assert sales.head(2_000)["YearMade"].tolist() == SALES["YearMade"].tolist()
        assert [shard.n_rows for shard in sales.split(2)] == [520, 480]
        assert sales.select(["state"]).take([3, 999])["state"].tolist() == SALES["state"].iloc[[3, 999]].tolist()
        assert sales.sample(7, 1)["YearMade"].tolist() == FRAMES.sample(7, 1)["YearMade"].tolist()

    @pytest.mark.parametrize("preprocessor", [TabularPreprocessor(), TabularPreprocessor("net", normalize="quantile")])
    def test_encodings_are_those_of_the_table(self, sales, preprocessor):
        whole = clone(preprocessor).fit(SALES)
        merged = clone(preprocessor).fit(sales)
        assert merged.categories_ == whole.categories_
        pd.testing.assert_frame_equal(merged.transform(SALES), whole.transform(SALES), rtol=1e-6, check_exact=False)
        encoded = merged.transform(sales).head(2_000)
        pd.testing.assert_frame_equal(encoded, merged.transform(SALES), check_exact=True)

    @pytest.mark.parametrize(
        "model",
        [
            ForestRegressor(3, random_state=0, n_jobs=1),
            ForestRegressor(3, max_samples=50, random_state=0, n_jobs=1),
            BoostingRegressor(max_iter=5, random_state=0),
        ],
    )
    def test_models_and_predictions_are_those_of_frames(self, sales, model):
        expected = clone(model).fit(FRAMES, "log(SalePrice)")
        found = clone(model).fit(sales, "log(SalePrice)")
        assert np.array_equal(found.predict(SALES), expected.predict(SALES))
        assert np.array_equal(found.predict(sales).head(2_000)["prediction"], expected.predict(SALES))

    def test_a_net_is_that_of_frames_but_for_the_rounding_of_merged_means(self, sales):
        model = TabularRegressor((10,), epochs=2, random_state=0, device="cpu")
        expected = clone(model).fit(FRAMES, "log(SalePrice)")
        found = clone(model).fit(sales, "log(SalePrice)")
        np.testing.assert_allclose(found.predict(SALES), expected.predict(SALES), rtol=1e-6)
        # Sums of matrix products depend on the number of rows in their last bits.
        by_chunk = found.predict(sales).head(2_000)["prediction"]
        np.testing.assert_allclose(by_chunk, found.predict(SALES), rtol=1e-12)

    def test_classes_and_interactions(self, ray, sales, tmp_path):
        model = ForestClassifier(3, random_state=0, oob_score=False).fit(sales, "ProductGroup")
        predict_to(tmp_path / "p.parquet", model, sales, method="predict_proba", keep=["state"])
        written = pd.read_parquet(tmp_path / "p.parquet")
        assert written.columns.tolist() == ["state", *model.classes_]
        assert np.array_equal(written[model.classes_], model.predict_proba(SALES))
        clicks = make_interactions(500, random_state=0)[["user", "item"]]
        for memory in (1, "2GB"):  # in temporary files, and in memory
            chunks = RayChunks(ray.data.from_pandas([clicks[:300], clicks[300:]]), memory=memory)
            for recommender in (EASE(), ImplicitALS(4, n_iterations=2, random_state=0)):
                whole, chunked = clone(recommender).fit(clicks), clone(recommender).fit(chunks)
                pd.testing.assert_frame_equal(whole.recommend(whole.users_, 3), chunked.recommend(whole.users_, 3))
        rated = clicks.assign(rating=1.0 + np.arange(len(clicks)) % 5)
        bayes = BayesianFactorization(2, n_samples=3, n_burn_in=1, random_state=0)
        whole = clone(bayes).fit(clicks, rated["rating"])
        chunked = clone(bayes).fit(RayChunks(ray.data.from_pandas([rated[:300], rated[300:]])), "rating")
        assert np.array_equal(chunked.predict(clicks), whole.predict(clicks))

    @pytest.mark.parametrize("stage", ["encoding", "forest", "predictions"])
    def test_workers_that_die_twice_in_a_stage_change_nothing(self, sales, tmp_path, stage):
        marks = tmp_path / "marks"
        marks.mkdir()

        def die_twice(frame):
            number = len(list(marks.iterdir()))
            if len(frame) == 10 and number < 2:
                (marks / str(number)).touch()
                os._exit(1)
            return frame

        dying, forest = sales.apply(die_twice), ForestRegressor(3, max_samples=50, random_state=0, n_jobs=1)
        if stage == "encoding":
            found = TabularPreprocessor().fit(dying).transform(SALES)
            pd.testing.assert_frame_equal(found, TabularPreprocessor().fit(FRAMES).transform(SALES))
        elif stage == "forest":
            expected = clone(forest).fit(FRAMES, "log(SalePrice)").predict(SALES)
            assert np.array_equal(clone(forest).fit(dying, "log(SalePrice)").predict(SALES), expected)
        else:
            forest.fit(FRAMES, "log(SalePrice)")
            predict_to(tmp_path / "p.parquet", forest, dying)
            assert np.array_equal(pd.read_parquet(tmp_path / "p.parquet")["prediction"], forest.predict(SALES))
            assert sorted(path.name for path in tmp_path.iterdir()) == ["marks", "p.parquet"]
        assert len(list(marks.iterdir())) == 2

    def test_mistakes_are_named(self, ray, sales):
        with pytest.raises(TypeError, match="dataset must be a ray.data.Dataset, but got DataFrame"):
            RayChunks(SALES)
        with pytest.raises(ValueError, match="The dataset has no rows"):
            RayChunks(ray.data.from_pandas([SALES[:0]]))
        with pytest.raises(ValueError, match="no column 'Price' for the target"):
            ForestRegressor(2).fit(sales, "Price")


def test_without_ray_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'tabrec[ray]'")):
        RayChunks(SALES)


def test_only_this_room_imports_ray():
    package = Path(tabrec.__file__).parent
    importing = [p for p in package.rglob("*.py") if re.search(r"^\s*(import|from) ray\b", p.read_text("utf-8"), re.M)]
    assert {path.parent.name for path in importing} == {"scale"}

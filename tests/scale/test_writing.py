"""Tables written to parquet: complete or not at all."""

import errno

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from pandas.testing import assert_frame_equal

from tabrec import ForestClassifier, ForestRegressor
from tabrec.scale import FileChunks, FrameChunks, predict_to

TABLE = pd.DataFrame({"id": range(100), "x": np.arange(100) % 7, "label": pd.Categorical(list("abcde") * 20)})
CHUNKS = FrameChunks([TABLE[:30], TABLE[30:].assign(label=TABLE["label"][30:].cat.remove_unused_categories())])


def test_a_table_is_written_to_one_file_and_read_again(tmp_path):
    CHUNKS.to_parquet(tmp_path / "t.parquet")
    assert_frame_equal(FileChunks(tmp_path / "t.parquet").head(200), TABLE)
    with pytest.raises(FileExistsError):
        CHUNKS.to_parquet(tmp_path / "t.parquet")
    FrameChunks(TABLE[:3]).to_parquet(tmp_path / "t.parquet", overwrite=True)
    assert FileChunks(tmp_path / "t.parquet").n_rows == 3


def test_a_folder_has_a_file_for_each_chunk(tmp_path):
    CHUNKS.to_parquet(tmp_path / "t")
    assert [pyarrow.parquet.read_metadata(tmp_path / "t" / f"part-0000{i}.parquet").num_rows for i in (0, 1)] == [
        30,
        70,
    ]
    assert_frame_equal(FileChunks(tmp_path / "t").head(200), TABLE)


def test_predictions_are_written_beside_the_columns_to_keep(tmp_path):
    model = ForestRegressor(3, random_state=0).fit(CHUNKS, "x")
    predict_to(tmp_path / "p.parquet", model, CHUNKS, keep=["id", "label"])
    written = pd.read_parquet(tmp_path / "p.parquet")
    assert written.columns.tolist() == ["id", "label", "prediction"]
    assert written["id"].tolist() == list(range(100))
    assert np.array_equal(written["prediction"], model.predict(TABLE))
    predict_to(tmp_path / "q.parquet", model, TABLE)  # a table in memory
    assert np.array_equal(pd.read_parquet(tmp_path / "q.parquet")["prediction"], model.predict(TABLE))


def test_probabilities_have_the_names_of_the_classes(tmp_path):
    model = ForestClassifier(3, random_state=0).fit(CHUNKS, "label")
    predict_to(tmp_path / "p.parquet", model, CHUNKS, method="predict_proba")
    written = pd.read_parquet(tmp_path / "p.parquet")
    assert written.columns.tolist() == list("abcde")
    assert np.array_equal(written, model.predict_proba(TABLE))


@pytest.mark.parametrize("name", ["t.parquet", "t"])
def test_nothing_is_left_where_reading_or_writing_fails(tmp_path, name):
    def fail_late(frame):
        if frame["id"].iloc[0]:
            raise OSError(28, "No space left on device")
        return frame

    with pytest.raises(OSError, match="no space is left on the disk"):
        CHUNKS.apply(fail_late).to_parquet(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["p.parquet", "p"])
def test_a_full_disk_leaves_no_predictions(tmp_path, monkeypatch, name):
    write, n_written = pyarrow.parquet.ParquetWriter.write_table, []

    def fill(self, table, *arguments, **options):
        n_written.append(len(table))
        if len(n_written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, table, *arguments, **options)

    forest = ForestRegressor(2, random_state=0, oob_score=False).fit(CHUNKS, "x")
    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_table", fill)
    with pytest.raises(OSError, match="was not written: no space is left on the disk"):
        predict_to(tmp_path / name, forest, CHUNKS)
    assert n_written == [30, 70]
    assert not list(tmp_path.iterdir())


def test_mistakes_are_named(tmp_path):
    model = ForestRegressor(2, random_state=0, oob_score=False).fit(CHUNKS, "x")
    with pytest.raises(ValueError, match="keep names \\['price'\\]"):
        predict_to(tmp_path / "p.parquet", model, CHUNKS, keep=["price"])
    with pytest.raises(TypeError, match="X must be chunks or a table, but got int"):
        predict_to(tmp_path / "p.parquet", model, 3)
    assert list(tmp_path.iterdir()) == []

"""Tables in files: what is read, in which order, and which files are refused by name."""

import re

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from tabrec.scale import FileChunks, RayChunks

TABLE = pd.DataFrame(
    {
        "x": np.arange(10.0),
        "n": np.arange(10),
        "label": pd.Series([*"abcabcab", None, None], dtype="category"),
        "day": pd.date_range("2020-01-01", periods=10),
    }
)


def write(folder, *tables, suffix="parquet"):
    folder.mkdir(exist_ok=True)
    for position, table in enumerate(tables):
        path = folder / f"{position}.{suffix}"
        table.to_parquet(path, row_group_size=3, index=False) if suffix == "parquet" else table.to_csv(
            path, index=False
        )
    return folder


def read(chunks):
    return pd.concat([frame.astype({"label": object}) for frame in chunks], ignore_index=True)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("chunk_rows", [1, 4, 7, 100])
def test_rows_come_in_order_in_chunks_of_the_size_asked_for(tmp_path, suffix, chunk_rows):
    chunks = FileChunks(write(tmp_path / "t", TABLE[:4], TABLE[4:5], TABLE[5:], suffix=suffix), chunk_rows=chunk_rows)
    sizes = [len(frame) for frame in chunks]
    assert sizes == [chunk_rows] * (10 // chunk_rows) + [10 % chunk_rows] * bool(10 % chunk_rows)
    found, expected = read(chunks), TABLE.astype({"label": object})
    assert_frame_equal(found.astype({"day": "datetime64[ns]"}), expected.astype({"day": "datetime64[ns]"}))
    assert chunks.n_rows == 10  # also of CSV files, once they have been read


def test_the_number_of_rows_of_csv_files_is_known_after_they_were_read(tmp_path):
    chunks = FileChunks(write(tmp_path / "t", TABLE, suffix="csv"))
    assert chunks.n_rows is None
    assert chunks.count_rows() == 10
    assert chunks.n_rows == 10


def test_a_file_a_pattern_and_a_list_are_read(tmp_path):
    folder = write(tmp_path / "t", TABLE[:4], TABLE[4:])
    (folder / "_SUCCESS").touch()
    assert FileChunks(folder / "0.parquet").count_rows() == 4
    assert FileChunks(f"{folder}/*.parquet").count_rows() == 10
    assert read(FileChunks([folder / "1.parquet", folder / "0.parquet"]))["n"].tolist() == [*range(4, 10), *range(4)]


def test_text_in_one_csv_file_is_text_in_all_as_it_is_written(tmp_path):
    folder = write(
        tmp_path / "t", pd.DataFrame({"label": ["007", "12"]}), pd.DataFrame({"label": ["A3", None]}), suffix="csv"
    )
    found = read(FileChunks(folder))["label"]
    assert found[:3].tolist() == ["007", "12", "A3"]
    assert found[3:].isna().all()


def test_text_columns_keep_codes_as_text(tmp_path):
    folder = write(tmp_path / "t", pd.DataFrame({"label": ["007", "012"]}), suffix="csv")
    assert read(FileChunks(folder, text_columns=["label"]))["label"].tolist() == ["007", "012"]


def test_types_that_hold_both_files_are_chosen(tmp_path):
    folder = write(tmp_path / "t", pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [0.5]}), pd.DataFrame({"x": [None]}))
    found = FileChunks(folder).head(10)["x"]
    assert found.dtype == np.float64
    assert found.tolist()[:3] == [1, 2, 0.5]


def test_empty_files_are_left_out(tmp_path):
    folder = write(tmp_path / "t", TABLE, TABLE[:0], suffix="csv")
    (folder / "2.csv").touch()
    assert FileChunks(folder).count_rows() == 10
    assert FileChunks(write(tmp_path / "p", TABLE[:0], TABLE)).count_rows() == 10


def test_selected_columns_alone_are_read(tmp_path):
    chunks = FileChunks(write(tmp_path / "t", TABLE), columns=["label", "x"])
    assert list(chunks.schema) == ["label", "x"]
    assert chunks.select(["x"]).head(2).to_dict("list") == {"x": [0, 1]}
    assert chunks.drop(["x"]).head(1).columns.tolist() == ["label"]


@pytest.mark.parametrize("n_shards", [1, 2, 3, 50])
def test_shards_hold_all_rows_in_order(tmp_path, n_shards):
    chunks = FileChunks(write(tmp_path / "t", TABLE[:4], TABLE[4:]))
    shards = chunks.split(n_shards)
    assert len(shards) == min(n_shards, 4)  # row groups
    assert [n for shard in shards for n in read(shard)["n"]] == list(range(10))
    assert sum(shard.n_rows for shard in shards) == 10
    assert max(shard.n_rows for shard in shards) - min(shard.n_rows for shard in shards) <= 3


def test_samples_do_not_depend_on_the_chunks_and_rows_are_found_by_position(tmp_path):
    folder = write(tmp_path / "t", TABLE[:4], TABLE[4:])
    small, large = FileChunks(folder, chunk_rows=2), FileChunks(folder)
    for n_rows in (1, 5, 10):
        assert small.sample(n_rows, 1)["n"].tolist() == large.sample(n_rows, 1)["n"].tolist()
        assert len(small.sample(n_rows, 1)) == n_rows
    assert small.sample(5, 1)["n"].tolist() != small.sample(5, 2)["n"].tolist()
    assert small.take([8, 3, 3])["n"].tolist() == [3, 8]
    with pytest.raises(ValueError, match="rows holds 10, but there are 10 rows"):
        small.take([10])


def test_a_file_without_a_column_is_named_with_it(tmp_path):
    folder = write(tmp_path / "t", TABLE, TABLE.drop(columns="day"))
    with pytest.raises(ValueError, match=r"1\.parquet lacks the column 'day' that .*0\.parquet has"):
        FileChunks(folder)


def test_text_in_one_parquet_file_and_numbers_in_another_are_refused_by_name(tmp_path):
    folder = write(tmp_path / "t", TABLE, TABLE.assign(x=["a"] * 10))
    with pytest.raises(
        ValueError, match=r"Column 'x' holds numbers \(double\) in .*0\.parquet and text in .*1\.parquet"
    ):
        FileChunks(folder)


def test_text_after_the_first_block_of_a_csv_file_is_named_with_its_column(tmp_path):
    folder = tmp_path / "t"
    folder.mkdir()
    (folder / "0.csv").write_text("n,x\n" + "1,2\n" * 400_000 + "1,none at all\n")
    chunks = FileChunks(folder)
    with pytest.raises(ValueError, match=r"0\.csv cannot be read: .*'none at all'.*text_columns=\['x'\]"):
        list(chunks)
    assert FileChunks(folder, text_columns=["x"]).count_rows() == 400_001


def damage_footer(path):
    path.write_bytes(path.read_bytes()[:-20])


def open_and_count(folder):
    chunks = FileChunks(folder, on_damage="skip")
    return chunks, chunks.count_rows()


def damage_pages(path):
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_footer, damage_pages])
def test_a_damaged_file_is_named_and_left_out_only_if_asked_for(tmp_path, damage):
    folder = write(tmp_path / "t", TABLE, TABLE, TABLE)
    damage(folder / "1.parquet")
    with pytest.raises(ValueError, match=r"1\.parquet cannot be read"):
        list(FileChunks(folder))
    with pytest.warns(UserWarning, match=r"left out from where it cannot be read: .*1\.parquet"):
        chunks, n_rows = open_and_count(folder)
    assert n_rows == chunks.n_rows == len(read(chunks))
    assert 20 <= n_rows < 30


def test_mistakes_are_named(tmp_path):
    folder = write(tmp_path / "t", TABLE)
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "u"))):
        FileChunks(tmp_path / "u")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no"):
        FileChunks(tmp_path / "empty")
    with pytest.raises(TypeError, match="path must be a file"):
        FileChunks(3)
    with pytest.raises(ValueError, match="columns names \\['y'\\]"):
        FileChunks(folder, columns=["y"])
    with pytest.raises(ValueError, match="on_damage='drop'"):
        FileChunks(folder, on_damage="drop")
    with pytest.raises(ValueError, match="chunk_rows=0"):
        FileChunks(folder, chunk_rows=0)
    for memory in ("much", "-1GB", 0):
        with pytest.raises(ValueError, match="memory="):
            FileChunks(folder, memory=memory)
    assert FileChunks(folder, memory="1.5MB").memory == 1_500_000


def test_damaged_files_are_not_skipped_on_ray(tmp_path):
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "part.parquet")
    with pytest.raises(ValueError, match='on_damage="skip" is not possible on Ray'):
        RayChunks.of_files(FileChunks(tmp_path, on_damage="skip"))

"""Frames in memory as chunks, and the functions that are applied to chunks."""

import numpy as np
import pandas as pd
import polars
import pytest
from pandas.testing import assert_frame_equal

from tabrec.scale import FrameChunks

TABLE = pd.DataFrame({"x": range(10), "y": list("abcdefghij")})


def test_frames_of_any_library_are_the_chunks_in_order():
    chunks = FrameChunks([TABLE[:3], polars.from_pandas(TABLE[3:][["y", "x"]])])
    assert [len(frame) for frame in chunks] == [3, 7]
    assert [frame.columns.tolist() for frame in chunks] == [["x", "y"]] * 2
    assert_frame_equal(chunks.head(20).astype({"y": object}), TABLE.astype({"y": object}))
    assert FrameChunks(TABLE).n_rows == 10


def test_frames_that_are_not_one_table_are_refused():
    with pytest.raises(ValueError, match=r"Frame 1 differs from frame 0 in the columns \['z'\]"):
        FrameChunks([TABLE, TABLE.assign(z=1)])
    with pytest.raises(ValueError, match="frames is empty"):
        FrameChunks([])


def test_a_function_is_applied_on_reading_and_keeps_the_number_of_rows():
    calls = []
    doubled = FrameChunks([TABLE[:3], TABLE[3:]]).apply(
        lambda frame: calls.append(len(frame)) or 2 * frame["x"].to_numpy()
    )
    assert calls == []
    assert doubled.head(4)["prediction"].tolist() == [0, 2, 4, 6]
    assert [shard.head(9)["prediction"].tolist() for shard in doubled.split(2)] == [
        [0, 2, 4],
        [6, 8, 10, 12, 14, 16, 18],
    ]
    named = FrameChunks(TABLE).apply(lambda frame: np.ones((len(frame), 2)), ["a", "b"])
    assert list(named.schema) == ["a", "b"]
    with pytest.raises(ValueError, match="returned 1 rows for 10 rows"):
        FrameChunks(TABLE).apply(lambda frame: frame[:1]).head()


def test_groups_of_frames_are_of_about_equal_size():
    chunks = FrameChunks([TABLE[:1], TABLE[1:5], TABLE[5:9], TABLE[9:]])
    assert [shard.n_rows for shard in chunks.split(2)] == [5, 5]
    assert [shard.n_rows for shard in chunks.split(1)] == [10]
    assert [shard.n_rows for shard in chunks.split(9)] == [1, 4, 4, 1]
    with pytest.raises(ValueError, match="n_shards=0"):
        chunks.split(0)

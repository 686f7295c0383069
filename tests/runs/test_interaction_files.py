"""`read_interactions`: the layouts in which people and other libraries keep interactions."""

import json

import pandas as pd
import pytest
import scipy.sparse as sp

from tabrec.datasets import read_baskets
from tabrec.runs import read_interactions

TEXTS = {
    "userId,movieId,timestamp\nu1,007,1500000000\nu2,8,1500000100\n": ["userId", "movieId", "timestamp"],
    "1\t7\t5\t881250949\n2\t8\t3\t881250950\n": ["user", "item", "strength", "timestamp"],
    "1,7,1500000000,2.5\n2,8,1500000100,1.0\n": ["user", "item", "timestamp", "strength"],
    # usersha1-artmbid-artname-plays.tsv, which implicit converts; mbids may be absent
    "00a1\tf467\tthe band\t2137\n00b2\t2b8e\tdie Ärzte\t1099\n": ["user", "item", "strength"],
    "1 7\n2 8\n": ["user", "item"],
}


@pytest.mark.parametrize("text", TEXTS, ids=["header", "u.data", "time-first", "lastfm", "pairs"])
def test_columns_of_text_files_are_found(tmp_path, text):
    (tmp_path / "f.txt").write_text(text, encoding="utf-8")
    frame, tables = read_interactions(tmp_path / "f.txt")
    assert frame.columns.tolist() == TEXTS[text]
    assert tables == {}
    assert len(frame) == 2


def test_ids_stay_as_written(tmp_path):
    (tmp_path / "f.csv").write_text("user,item\n01,NA\n2,a\n")
    frame, _ = read_interactions(tmp_path / "f.csv")
    assert frame.to_numpy().tolist() == [["01", "NA"], ["2", "a"]]


def test_a_sparse_matrix_is_read(tmp_path):
    sp.save_npz(tmp_path / "m.npz", sp.csr_matrix([[0, 3.0], [1.0, 0]]))
    frame, _ = read_interactions(tmp_path / "m.npz")
    assert frame.to_numpy().tolist() == [[0, 1, 3.0], [1, 0, 1.0]]


def test_a_folder_of_lenskit_is_read(tmp_path):
    (tmp_path / "schema.json").write_text(json.dumps({"version": "2025.3", "default_interaction": "rating"}))
    pd.DataFrame({"user_id": ["u1", "u2"]}).to_parquet(tmp_path / "user.parquet")
    pd.DataFrame({"item_id": ["a", "b"]}).to_parquet(tmp_path / "item.parquet")
    numbers = {"user_num": [0, 0, 1], "item_num": [0, 1, 0], "rating": [3.0, 4.0, 5.0], "timestamp": [1, 2, 3]}
    pd.DataFrame(numbers).to_parquet(tmp_path / "rating.parquet")
    frame, _ = read_interactions(tmp_path)
    assert frame.columns.tolist() == ["user", "item", "rating", "timestamp"]
    assert frame["user"].tolist() == ["u1", "u1", "u2"]
    assert frame["item"].tolist() == ["a", "b", "a"]


def test_baskets_become_pairs(tmp_path):
    (tmp_path / "b.csv").write_text("milk, bread\n\nbread,bread,eggs\n")
    frame, _ = read_interactions(tmp_path / "b.csv", baskets=True)
    assert frame.to_numpy().tolist() == [[1, "milk"], [1, "bread"], [2, "bread"], [2, "eggs"]]
    (tmp_path / "retail.dat").write_text("30 31 32 \n33 34 \n")
    assert read_baskets(tmp_path / "retail.dat")["item"].tolist() == ["30", "31", "32", "33", "34"]
    (tmp_path / "empty.csv").write_text("\n\n")
    with pytest.raises(ValueError, match="has no items"):
        read_baskets(tmp_path / "empty.csv")


def test_one_column_is_refused(tmp_path):
    (tmp_path / "f.txt").write_text("1\n2\n")
    with pytest.raises(ValueError, match="needs at least two columns|at least a user and an item|Name its 1"):
        read_interactions(tmp_path / "f.txt")

"""`read_interactions`: the layouts in which people and other libraries keep interactions."""

import json

import pandas as pd
import pytest
import scipy.sparse as sp

from tabrec.collab.rating_columns import find_interaction_columns
from tabrec.datasets import read_baskets
from tabrec.runs import read_interactions

TEXTS = {
    "userId,movieId,timestamp\nu1,007,1500000000\nu2,8,1500000100\n": ["userId", "movieId", "timestamp"],
    "1\t7\t5\t881250949\n2\t8\t3\t881250950\n": ["user", "item", "strength", "timestamp"],
    "1,7,1500000000,2.5\n2,8,1500000100,1.0\n": ["user", "item", "timestamp", "strength"],
    # usersha1-artmbid-artname-plays.tsv, which implicit converts; mbids may be absent
    "00a1\tf467\tthe band\t2137\n00b2\t2b8e\tdie Ärzte\t1099\n": ["user", "item", "strength"],
    "1 7\n2 8\n": ["user", "item"],
    "1600000000000,u1,i1,2\n1600000100000,u2,i2,1\n": ["user", "item", "timestamp", "strength"],
    "0.5,u1,i1\n1.5,u2,i2\n": ["user", "item", "strength"],
}


@pytest.mark.parametrize(
    "text", TEXTS, ids=["header", "u.data", "time-third", "lastfm", "pairs", "time-first", "strength-first"]
)
def test_columns_of_text_files_are_found(tmp_path, text):
    (tmp_path / "f.txt").write_text(text, encoding="utf-8")
    frame, tables = read_interactions(tmp_path / "f.txt")
    assert sorted(frame.columns) == sorted(TEXTS[text])
    assert (frame[find_interaction_columns(frame).user].astype(str).str[-1] == ["1", "2"]).all()
    assert tables == {}
    assert len(frame) == 2


LOGS = {
    "odd order": ("qty,when,sku,note,customer\n2,2024-01-01,S1,a,c1\n1,2024-01-02,S2,a,c2\n", ("customer", "sku")),
    "index": (",item_id,user_id\n0,i1,u1\n1,i2,u2\n", ("user_id", "item_id")),
    "items first": ("item_id,user_id\ni1,u1\ni2,u2\n", ("user_id", "item_id")),
    "visits": ("ts,session_id,event,page\n1600000000,s1,view,p1\n1600000100,s2,view,p2\n", ("session_id", "page")),
    "no usual name": ("kind,score_x,thing_id,who_id\nview,0.5,t1,w1\nview,1.5,t2,w2\n", ("thing_id", "who_id")),
}


@pytest.mark.parametrize("name", LOGS)
def test_columns_are_found_by_name_and_content(name, tmp_path):
    text, expected = LOGS[name]
    (tmp_path / "f.csv").write_text(text)
    frame, _ = read_interactions(tmp_path / "f.csv")
    assert find_interaction_columns(frame)[:2] == expected


LISTS = {
    "pipes": "user,items\nu1,7|8\nu2,8|9|7\nu3,9\n",
    "spaces": "user,items\nu1,7 8\nu2,8 9 7\nu3,9\n",
    "python": 'user,history\nu1,"[7, 8]"\nu2,"[8, 9, 7]"\nu3,[9]\n',
    "item": "user\titem\nu1\t7;8\nu2\t8;9;7;\nu3\t9\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_items_become_a_row_for_each(name, tmp_path):
    (tmp_path / "f.csv").write_text(LISTS[name])
    frame, _ = read_interactions(tmp_path / "f.csv")
    assert frame.to_numpy().tolist() == [["u1", 7], ["u1", 8], ["u2", 8], ["u2", 9], ["u2", 7], ["u3", 9]]
    assert "split at" in frame.attrs["assumed"][-1]


TITLES = {
    "words": "user,title\nu1,The Birds\nu2,The Fly\nu3,The Fly\n",
    "plural": 'user,movies\nu1,"Birds, The"\nu1,"Fly, The"\nu2,"Fly, The"\n',
    "pairs": "user,item\nu1,a|b\nu1,c|d\nu2,a|b\n",
    "unlike": "user,items\nu1,a|b\nu2,c|d\n",
}


@pytest.mark.parametrize("name", TITLES)
def test_items_that_are_not_lists_stay_as_written(name, tmp_path):
    (tmp_path / "f.csv").write_text(TITLES[name])
    frame, _ = read_interactions(tmp_path / "f.csv")
    assert len(frame) == TITLES[name].count("\n") - 1


def test_a_column_of_one_time_does_not_order_a_log():
    frame = pd.DataFrame({"user": [1, 2, 3], "item": [1, 2, 1], "date": "2024-01-01"})
    assert find_interaction_columns(frame).time is None


def test_ids_of_json_lines_stay_exact(tmp_path):
    first = 1234567890123456001
    rows = [{"user": first, "item": "001"}, {"user": None, "item": "NA"}, {"user": first + 1, "item": "null"}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    frame, _ = read_interactions(tmp_path / "log.jsonl")
    assert frame["user"].dropna().tolist() == [first, first + 1]
    assert frame["item"].tolist() == ["001", "NA", "null"]


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
    (tmp_path / "quoted.csv").write_text('"whole milk, 1l","bread"\n5" pipe,eggs\n')
    assert read_baskets(tmp_path / "quoted.csv")["item"].tolist() == ["whole milk, 1l", "bread", '5" pipe', "eggs"]
    (tmp_path / "retail.dat").write_text("30 31 32 \n33 34 \n")
    assert read_baskets(tmp_path / "retail.dat")["item"].tolist() == ["30", "31", "32", "33", "34"]
    (tmp_path / "empty.csv").write_text("\n\n")
    with pytest.raises(ValueError, match="has no items"):
        read_baskets(tmp_path / "empty.csv")


def test_one_column_is_refused(tmp_path):
    (tmp_path / "f.txt").write_text("1\n2\n")
    with pytest.raises(ValueError, match="needs at least two columns|at least a user and an item|Name its 1"):
        read_interactions(tmp_path / "f.txt")

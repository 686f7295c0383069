"""`model_card`: every fact that a run records, and nothing else."""

import itertools

import numpy as np
import pandas as pd
import pytest

from tabrec import Categorify, ForestClassifier, model_card, save
from tabrec.runs import RatingRun, TableRun, train
from tabrec.runs.trained_table import describe_table


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    folder = tmp_path_factory.mktemp("card")
    day = pd.date_range("2020-01-01", periods=50)
    table = pd.DataFrame(
        {"size|cm": range(50), "colour": ["red", "*blue*"] * 25, "day": day, "late": ["no", "yes"] * 25}
    )
    table.to_csv(folder / "orders.csv", index=False)
    run = train(table, "late", time_column="day", valid_from="2020-02-10", refit=False, random_state=3)
    run.metadata["table"] = describe_table(folder / "orders.csv")
    return model_card(run.save(folder / "late_orders")), run


def test_the_card_of_a_table_names_data_columns_rows_and_scores(card):
    text, run = card
    lines = text.splitlines()
    assert lines[0] == r"# late\_orders"
    assert lines[2] == "A ForestClassifier that predicts the class `late` from 3 columns."
    assert "| parameters | `random_state=3` |" in lines
    assert "| classes | 2: `no`, `yes` |" in lines
    assert "| file | `orders.csv` |" in lines
    assert f"| SHA-256 | `{run.metadata['table']['digest']}` |" in lines
    assert "| `colour` | categorical | 2 labels: `*blue*`, `red` |" in lines
    assert r"| `size\|cm` | continuous | `size\|cm` |" in lines
    assert "10 of 50 rows were held out: those from 2020-02-10 on, by `day`." in lines
    assert "The scores are those of a model fitted to the 40 training rows." in lines
    scores = run.metrics["validation"]
    shown = [f"{scores[name]:.4f}" for name in scores]
    assert f"| validation | 10 | {' | '.join(shown)} |" in lines
    assert "Not recorded. Describe who uses the predictions, and for which decisions." in lines


def test_every_heading_has_content(card):
    blocks = card[0].split("\n\n")
    headings = [block for block in blocks if block.startswith("#")]
    assert len(headings) == len(set(headings)) == 9
    assert not any(a.startswith("#") and b.startswith("#") for a, b in itertools.pairwise(blocks[1:]))


def test_a_model_alone_has_a_shorter_card(tmp_path):
    X = pd.DataFrame({"a": np.arange(20.0), "b": ["x", "y"] * 10})
    forest = ForestClassifier(3, random_state=0).fit(X, X["b"])
    text = model_card(save(forest, tmp_path / "forest"))
    assert "The folder records neither its target nor its rows." in text
    assert "| `b` | categorical | 2 labels: `x`, `y` |" in text
    assert "## Scores" not in text
    assert "## Data" not in text
    assert model_card(save(Categorify().fit(X), tmp_path / "codes")).startswith("# codes\n\nA Categorify.")


def test_a_refitted_model_has_no_scores_of_its_own(tmp_path):
    table = pd.DataFrame({"x": range(40), "y": np.arange(40.0) % 7})
    saved = train(table, "y", cv=2).save(tmp_path / "r")
    text = model_card(saved)
    assert "The saved model was then fitted to all 40 rows; it has no scores of its own." in text
    assert "The other rows were divided into 2 random folds." in text
    assert "| folds, mean | 32 |" in text
    assert isinstance(TableRun.open(saved), TableRun)


def test_the_card_of_ratings_counts_users_items_and_ratings(tmp_path):
    from tabrec import Popular

    pairs = pd.DataFrame({"user": [1, 1, 2, 2], "film": ["a", "b", "b", "c"]})
    metadata = {"model": "popular", "user": "user", "item": "film", "rating": "stars", "time_column": None}
    metadata |= {
        "ratings": {"train": 3, "validation": 1},
        "users": 2,
        "items": 3,
        "fit_seconds": 0.1,
        "random_state": 0,
    }
    metrics = {"Popular": {"ndcg": 0.5, "n_cold": 0.0}, "biases only": {"rmse": 1.25}}
    text = model_card(RatingRun(Popular().fit(pairs), metadata, metrics, None).save(tmp_path / "films"))
    assert "A Popular that predicts `stars` of `film` by `user` and recommends." in text
    assert "| ratings | 4 |\n| users | 2 |\n| items | 3 |" in text
    assert "| model | number of ratings | NDCG@10 | RMSE |" in text
    assert "| Popular | 1 | 0.5000 |  |\n| biases only | 1 |  | 1.2500 |" in text
    assert "fitted to all 4 ratings" in text

"""The examples run, and their results support their claims."""

import re
import runpy
from pathlib import Path

import pandas as pd
import pytest

from tabrec.datasets import check_submission

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def run_example(monkeypatch, capsys, tmp_path):
    """Run an example in an empty folder and return its output and the folder."""

    def run(name, *arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", [name, *arguments])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out, tmp_path

    return run


def errors_in(printed):
    """Return the numbers by name in lines such as ``  forest  0.2944``."""
    found = re.findall(r"^ *([a-z ,]+?) +(0\.\d{4})(?= |$)", printed, flags=re.MULTILINE)
    return {name: float(error) for name, error in found}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short_and_say_what_they_are(path):
    text = path.read_text()
    assert len(text.splitlines()) < 80
    assert text.startswith('"""')
    assert f"python examples/{path.name}" in text.split('"""')[1]


@pytest.mark.long
@pytest.mark.real_data("bulldozers/Train.csv", "bulldozers/Valid.csv")
def test_bulldozers_goes_from_the_table_to_a_submission_and_the_ensemble_is_best(run_example, data_dir):
    printed, folder = run_example("bulldozers.py", ".")
    looks, models = printed.split("RMSE of the log price, auctions of 2011")
    errors = errors_in(models)
    assert list(errors) == ["forest", "boosting", "net", "ensemble"]
    assert errors["ensemble"] < min(errors["forest"], errors["boosting"], errors["net"])
    assert errors["ensemble"] < 0.285
    assert errors["forest"] < 0.32

    of_forest = errors_in(re.sub(r" \d+ ", " ", looks.split("RMSE of the forest")[1].split("R² with")[0]))
    assert of_forest["train"] < of_forest["out of bag"] < of_forest["validation"] < of_forest["baseline"]
    assert "fiModelDesc, fiBaseModel" in looks
    effects = [float(effect) for effect in re.findall(r"^ +(?:1980|1990|2000|2010)\.0 +([\d.]+)$", looks, re.MULTILINE)]
    assert len(effects) == 4
    assert effects == sorted(effects)
    told = looks.split("Told from 2012 by")[1].split("RMSE without")[0]
    assert all(column in told for column in ("SalesID", "saledate", "MachineID"))

    future = pd.read_csv(data_dir / "bulldozers" / "Valid.csv", usecols=["SalesID"])
    check_submission(folder / "submission.csv", future.assign(SalePrice=0.0))
    pictures = {path.stem: path.stat().st_size for path in folder.glob("*.png")}
    assert set(pictures) == {"importance", "same", "shift", "tree", "year_made"}
    assert min(pictures.values()) > 10_000
    assert not list(folder.glob("*.part"))


@pytest.mark.long
@pytest.mark.real_data("house-prices/train.csv", "house-prices/test.csv")
def test_house_prices_ensemble_is_best_in_cross_validation_and_its_prices_can_be_submitted(run_example, data_dir):
    printed, folder = run_example("house_prices.py")
    errors = errors_in(printed)
    assert list(errors) == ["ridge", "forest", "boosting", "net", "ensemble"]
    assert errors["ensemble"] == min(errors.values())
    assert errors["ensemble"] <= 0.125

    assert [path.name for path in folder.iterdir()] == ["submission.csv"]
    submission = pd.read_csv(folder / "submission.csv")
    assert len(submission) == 1_459
    test = pd.read_csv(data_dir / "house-prices" / "test.csv", usecols=["Id"])
    check_submission(folder / "submission.csv", test.assign(SalePrice=0.0))
    assert 20_000 < submission["SalePrice"].min() < submission["SalePrice"].max() < 1_000_000


@pytest.mark.long
@pytest.mark.real_data("ml-100k/u.data", "ml-100k/u1.base")
def test_movielens_shows_the_findings_of_the_book(run_example):
    printed, folder = run_example("movielens.py", ".")
    errors = errors_in(printed)
    assert errors["bayes, with features"] < errors["bayes"] < errors["dot"] < errors["biases only"]
    assert errors["dot"] < errors["nn"] < errors["biases only"]
    assert errors["dot"] <= 0.920
    assert errors["nn"] <= 0.946
    assert errors["bayes"] <= 0.885
    least = printed.split("Liked least")[1].split("Liked most")[0]
    assert "Children of the Corn: The Gathering (1996)" in least
    most = printed.split("Liked most")[1].split("Nearest")[0]
    assert "Shawshank Redemption, The (1994)" in most
    ends = printed.split("first principal component")[1].split("Why:")[0].splitlines()[2:7]
    assert any("Independence Day" in line for line in ends)
    assert any(film in line for line in ends for film in ("Brazil", "Clockwork Orange", "Trainspotting"))
    assert (folder / "films.png").stat().st_size > 10_000


@pytest.mark.long
def test_clicks_become_recommendations_better_than_popularity(run_example):
    printed, folder = run_example("clicks.py", ".")
    ndcg = {name: float(value) for name, value in re.findall(r"^([A-Za-z ]+?) +(0\.\d{4}) ", printed, re.MULTILINE)}
    assert set(ndcg) == {"EASE", "ALS", "blend", "two stages", "Popular"}
    assert min(value for name, value in ndcg.items() if name != "Popular") > ndcg["Popular"] + 0.05
    lines = re.findall(r"^  (\w[\w ]+?) {2,}(\d+ \(topic.+)$", printed, re.MULTILINE)
    lists = {name: re.findall(r"topic \d+", line) for name, line in lines}
    assert [len(found) for found in lists.values()] == [6] * 4
    assert max(map(lists["two of a topic"].count, lists["two of a topic"])) <= 2
    assert (folder / "comparison.png").stat().st_size > 10_000


@pytest.mark.long
@pytest.mark.real_data("ml-100k/u1.base", "ml-100k/u1.test")
def test_nets_written_by_hand_learn_by_every_optimizer(run_example):
    printed, _ = run_example("custom_model.py")
    mean_alone = float(re.search(r"training ratings: (1\.\d+)", printed)[1])
    errors = re.findall(r"^  (Embedding\w+) +(\w+) +(0\.\d+) ", printed, flags=re.MULTILINE)
    assert [name for name, *_ in errors] == ["EmbeddingDot"] * 3 + ["EmbeddingNet"] * 3
    assert [optimizer for _, optimizer, _ in errors] == ["sgd", "adam", "adamw"] * 2
    assert all(float(error) < min(0.96, mean_alone) for *_, error in errors)

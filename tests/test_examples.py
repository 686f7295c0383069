"""The examples run, and what they show is so."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run_example(name, capsys):
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


@pytest.mark.real_data("bulldozers/Train.csv")
def test_forest_and_net_together_beat_each_alone(capsys):
    printed = run_example("forest_and_net.py", capsys)
    errors = dict(re.findall(r"^  (\w[\w ]*?) +(0\.\d+)$", printed, flags=re.MULTILINE))
    assert set(errors) == {"forest", "net", "their mean"}
    assert float(errors["their mean"]) < min(float(errors["forest"]), float(errors["net"]))


@pytest.mark.real_data("ml-100k/u.data", "ml-100k/u1.base")
def test_movielens_shows_the_findings_of_the_book(capsys, data_dir, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["movielens.py", str(tmp_path / "films.png")])
    printed = run_example("movielens.py", capsys)
    errors = {
        name: float(error) for name, error in re.findall(r"^([a-z ,]+?) +(0\.\d{4}) ", printed, flags=re.MULTILINE)
    }
    assert errors["bayes, with features"] < errors["bayes"] < errors["dot"] < errors["biases only"]
    least = printed.split("Liked least")[1].split("Liked most")[0]
    assert "Children of the Corn: The Gathering (1996)" in least
    most = printed.split("Liked most")[1].split("Nearest")[0]
    assert "Shawshank Redemption, The (1994)" in most
    assert (tmp_path / "films.png").stat().st_size > 10_000

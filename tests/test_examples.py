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

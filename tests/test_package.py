"""Properties of importing the package."""

import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import tabrec

ROOT = Path(__file__).parent.parent


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_import_loads_neither_torch_nor_matplotlib():
    code = "import sys, tabrec; tabrec.ForestRegressor; print([m for m in ('torch', 'matplotlib') if m in sys.modules])"
    assert run_python(code) == "[]"


def test_every_public_name_is_there():
    for name in tabrec.__all__:
        assert getattr(tabrec, name) is not None
        assert name in dir(tabrec)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Forest'"):
        tabrec.Forest  # noqa: B018


def test_version_is_the_one_of_the_distribution():
    from importlib.metadata import version

    assert tabrec.__version__ == version("tabrec")


@pytest.mark.parametrize("name", [name for name in tabrec.__all__ if name != "datasets"])
def test_public_docstrings_have_their_sections(name):
    doc = inspect.getdoc(getattr(tabrec, name))
    sections = re.findall(r"^([A-Z][A-Za-z ]+)\n-+$", doc, flags=re.MULTILINE)
    wanted = {"Parameters", "Examples"} if inspect.signature(getattr(tabrec, name)).parameters else {"Examples"}
    assert wanted <= set(sections)
    assert not re.search(r"\w -{4,}", doc), "a heading and its text have run together"


@pytest.mark.parametrize("name", [name for name in tabrec.__all__ if name[0].isupper()])
def test_every_estimator_shows_itself_as_a_diagram(name):
    public = getattr(tabrec, name)
    if not issubclass(public, BaseEstimator):
        return
    needs_columns = "columns" in inspect.signature(public).parameters and name == "ElapsedSince"
    shown = (public(["late"], date="day") if needs_columns else public())._repr_html_()
    assert f"<div>{name}</div>" in shown
    assert "sk-estimator" in shown


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(("target", "installed"), [("demo", "."), ("test", ".[dev]"), ("lint", ".[dev]")])
def test_make_installs_what_the_target_needs(target, installed):
    # .ci/run and an outer make hand down variables that would change what is installed.
    environment = {
        name: value for name, value in os.environ.items() if name not in {"EXTRAS", "MAKEFLAGS", "MAKELEVEL"}
    }
    command = ["make", "-nB", target]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert re.findall(r"pip install .*--editable '(.*)'", done.stdout) == [installed]


def test_what_draws_is_installed_with_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert any(line.startswith("matplotlib") for line in project["dependencies"])
    for extra, lines in project["optional-dependencies"].items():
        assert not any(line.startswith("matplotlib") for line in lines), extra

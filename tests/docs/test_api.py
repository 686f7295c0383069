"""The API pages list every public name, and Griffe parses complete docstrings."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import tabrec

API = Path(__file__).parent.parent.parent / "docs" / "api"
ROOMS = ["preprocess", "trees", "neural", "ensemble", "collab", "interpret", "datasets", "runs", "scale", "testing"]
PUBLIC = {f"tabrec.{room}.{name}": room for room in ROOMS for name in import_module(f"tabrec.{room}").__all__}
PUBLIC |= {"tabrec.save": "index", "tabrec.load": "index", "tabrec.show_versions": "index"}


def find(path):
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


FUNCTIONS = [path for path in PUBLIC if inspect.isfunction(find(path))]
CLASSES = [path for path in PUBLIC if inspect.isclass(find(path)) and not issubclass(find(path), Exception)]
# What functions return; nobody makes them by hand.
RESULTS = [
    path
    for path in CLASSES
    if path.startswith(("tabrec.interpret.", "tabrec.runs."))
    or path.endswith((".Explanation", ".ModelComparison", ".Tuning", ".RecommenderComparison"))
]
MADE = [path for path in CLASSES if path not in RESULTS]
# They learn nothing, and so have no attributes.
SPLITTERS = {"LeaveLastOut", "PerUserSplit", "TimeSplit"}


def read(package, path):
    """Return the object at its definition, and the sections of its docstring by kind."""
    runtime = find(path)
    found = package[f"{runtime.__module__}.{runtime.__name__}".removeprefix("tabrec.")]
    assert found.docstring, f"{path} has no docstring"
    return found, {section.kind.value: section.value for section in found.docstring.parsed}


def assert_parameters_are_told(parameters, sections, path):
    wanted = [p.name.lstrip("*") for p in parameters if p.name not in ("self", "cls") and not p.name.startswith("_")]
    told = {p.name.lstrip("*"): p.annotation for p in sections.get("parameters", [])}
    assert set(wanted) == set(told), path
    assert all(told.values()), f"a parameter of {path} has no type"


@pytest.mark.parametrize("path", PUBLIC)
def test_every_public_name_stands_on_the_page_of_its_room(path):
    page = (API / f"{PUBLIC[path]}.md").read_text(encoding="utf-8")
    assert re.search(rf"^::: {re.escape(path)}$", page, flags=re.MULTILINE)


def test_every_name_of_the_top_level_is_in_its_table():
    page = (API / "index.md").read_text(encoding="utf-8")
    table = "\n".join(line for line in page.splitlines() if line.startswith("| "))
    assert set(re.findall(r"`(\w+)`\]?", table)) >= set(tabrec.__all__)


def test_every_name_has_an_anchor_in_the_site(site):
    for path, room in PUBLIC.items():
        assert f'id="{path}"' in (site / "api" / f"{room}.html").read_text(encoding="utf-8"), path


@pytest.mark.parametrize("path", FUNCTIONS)
def test_functions_tell_parameters_what_they_return_and_an_example(package, path):
    found, sections = read(package, path)
    assert_parameters_are_told(found.parameters, sections, path)
    assert "examples" in sections
    assert str(found.returns) == "None" or {"returns", "yields"} & set(sections)


@pytest.mark.parametrize("path", MADE)
def test_classes_tell_parameters_what_they_learn_and_an_example(package, path):
    found, sections = read(package, path)
    assert_parameters_are_told(found.parameters, sections, path)
    assert "examples" in sections
    assert "attributes" in sections or found.name in SPLITTERS


@pytest.mark.parametrize("path", RESULTS)
def test_results_tell_their_attributes(package, path):
    assert read(package, path)[1]["attributes"]


@pytest.mark.parametrize("path", CLASSES)
def test_methods_tell_what_they_take_and_give(package, path):
    found, _ = read(package, path)
    for name, member in found.all_members.items():
        if name.startswith("_") or not (member.is_function or "property" in member.labels):
            continue
        assert member.docstring, f"{path}.{name} has no docstring"
        sections = {section.kind.value: section.value for section in member.docstring.parsed}
        if member.is_function and len(member.parameters) > 1:
            assert_parameters_are_told(member.parameters, sections, f"{path}.{name}")
            assert {"returns", "yields"} & set(sections) or str(member.returns) == "None", f"{path}.{name}"

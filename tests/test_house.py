"""Structural rules of the package; `python -m tests.house` prints violations."""

import ast

import pytest

from tests import house


@pytest.mark.parametrize("rule", house.CHECKS)
def test_the_package_keeps_the_rule(rule):
    broken = house.CHECKS[rule]()
    assert not broken, "\n".join(broken)


def test_private_names_and_orders_are_recognised(monkeypatch):
    found = [
        house.Import("tabrec.trees.forest", "tabrec.tables._rows", "", False, 1),
        house.Import("tabrec.trees.forest", "tabrec.tables.rows", "_first", False, 2),
        house.Import("tabrec.trees.forest", "tabrec.trees._grower", "_grow", False, 3),
        house.Import("tabrec.tables._rows", "tabrec.trees.forest", "", True, 4),
    ]
    monkeypatch.setattr(house, "imports", lambda: found)
    assert house.private_imports_across_rooms() == list(map(str, found[:2]))
    assert house.imports_against_the_order() == [str(found[3])]
    assert house.circles() == []
    assert house.circles(late=True) == ["tabrec.tables._rows <-> tabrec.trees.forest"]


def test_public_names_taken_from_the_package_itself_are_found(monkeypatch):
    tree = ast.parse("import tabrec\ntabrec.__version__\ntabrec.load(path)\ngetattr(tabrec, name)\n")
    for importer, forbidden in (
        ("tabrec.trees.forest", ["3 imports tabrec.load", "4 imports tabrec.*"]),
        ("tabrec.runs.rating_run", []),
    ):
        found = list(house._imports_of(importer, tree))
        monkeypatch.setattr(house, "imports", lambda found=found: found)
        assert sorted(house.imports_against_the_order()) == [f"{importer}:{found}" for found in forbidden]


def test_a_heading_twice_is_found(monkeypatch):
    doc = "Do it.\n\nAttributes\n----------\nx : int\n\nAttributes\n----------\ny : int\n    What.\n"
    monkeypatch.setattr(house, "_public_docstrings", lambda: [("tabrec.f", doc)])
    assert house.repeated_headings() == ["tabrec.f: Attributes"]


def test_wrong_files_and_rooms_of_documents_are_found(monkeypatch, tmp_path):
    text = "| `tables/` | columns | none |\n| `attic/` | nothing | `tables` |\n\n1. `tabrec/tables/rows.py`: `C.no`"
    monkeypatch.setattr(house, "_contributing", lambda: text)
    found = house.rooms_that_contributing_describes_wrongly()
    assert {"attic", "trees"} <= set(found)
    assert "tables" not in found
    assert house.stops_that_are_not_in_their_file() == ["tabrec/tables/rows.py: no"]
    page = tmp_path / "page.md"
    page.write_text(
        "`tabrec/tables/rows.py`, `rows.py`, `tabrec/rows.py`, `attic.py`; python docs/gone.py", encoding="utf-8"
    )
    assert house.named_files_that_do_not_exist([page]) == [
        f"page.md: {name}" for name in ("attic.py", "docs/gone.py", "tabrec/rows.py")
    ]


def test_imports_inside_functions_are_late():
    tree = ast.parse("import tabrec.tables.rows\ndef f():\n    from tabrec.trees import forest_base\n")
    first, second = house._imports_of("tabrec.cli", tree)
    assert (first.module, first.is_late) == ("tabrec.tables.rows", False)
    assert (second.module, second.is_late) == ("tabrec.trees.forest_base", True)


def test_entries_of_a_docstring_are_read():
    doc = "Do it.\n\nParameters\n----------\nx : int\ny : int\n    What.\n\n    More.\n\nReturns\n-------\nint\n"
    assert house._sections(doc) == {
        "Parameters": [("x : int", ""), ("y : int", "What.\n\n    More.")],
        "Returns": [("int", "")],
    }

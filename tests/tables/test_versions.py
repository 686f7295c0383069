"""`show_versions` describes the installation."""

from importlib import metadata

import numpy as np

import tabrec
from tabrec.tables.compiled import find_compiled


def test_versions_of_dependencies_and_extras_are_printed(capsys):
    tabrec.show_versions()
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "System:",
        "Dependencies:",
        "Optional packages:",
        "Trees:",
        "Threads:",
    ]
    assert f"    tabrec: {metadata.version('tabrec')}" in lines
    assert f"    numpy: {np.__version__}" in lines
    assert any(line.startswith("    shap (classic): ") for line in lines)
    assert not any("ruff" in line for line in lines)
    assert f"    grower: {find_compiled()}" in lines


def test_a_missing_package_is_printed_as_not_installed(capsys, monkeypatch):
    def version(name):
        if name == "shap":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    tabrec.show_versions()
    assert "    shap (classic): not installed\n" in capsys.readouterr().out

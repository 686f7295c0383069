"""The documentation site, built once for all tests."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def require(module):
    """Skip without the packages that build the documentation; fail if TABREC_REQUIRE_DOCS is set."""
    if importlib.util.find_spec(module) is None:
        (pytest.fail if os.environ.get("TABREC_REQUIRE_DOCS") else pytest.skip)(f"{module} is not installed")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site; any warning of the build is an error."""
    require("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="session")
def package():
    """The package as parsed by Griffe, with numpydoc docstrings."""
    require("griffe")
    import griffe

    return griffe.load("tabrec", search_paths=[ROOT], docstring_parser="numpy", resolve_aliases=True)

"""The documentation site, built once for all tests."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parent.parent.parent


def require(module):
    """Skip without the packages that build the documentation; fail if TABREC_REQUIRE_DOCS is set."""
    if importlib.util.find_spec(module) is None:
        (pytest.fail if os.environ.get("TABREC_REQUIRE_DOCS") else pytest.skip)(f"{module} is not installed")


@pytest.fixture(scope="session")
def site(shared_folder):
    """The folder of the built site; any warning of the build is an error.

    The notebooks are executed once, for the site and for tests/test_notebooks.py.
    """
    require("mkdocs")
    folder = shared_folder / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {"NO_MKDOCS_2_WARNING": "1", "TABREC_EXECUTED_NOTEBOOKS": str(shared_folder / "notebooks")}
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            built = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
            assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="session")
def notebook_packages():
    """Skip without the packages that run every notebook."""
    require("nbclient")
    require("fastai")


@pytest.fixture(scope="session")
def package():
    """The package as parsed by Griffe, with numpydoc docstrings."""
    require("griffe")
    import griffe

    return griffe.load("tabrec", search_paths=[ROOT], docstring_parser="numpy", resolve_aliases=True)

"""What the tests share: the real tables, where there are any."""

import os
from pathlib import Path

import pytest

_VARIABLE = "TABREC_DATA_DIR"


def pytest_runtest_setup(item):
    """Skip a test marked `real_data("bulldozers/Train.csv", ...)` unless the folder of real tables has the files."""
    marks = list(item.iter_markers("real_data"))
    if not marks:
        return
    if _VARIABLE not in os.environ:
        pytest.skip(f"{_VARIABLE} is not set")
    for name in (name for mark in marks for name in mark.args):
        if not (Path(os.environ[_VARIABLE]) / name).is_file():
            pytest.skip(f"{_VARIABLE} has no {name}")


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real tables; for tests that are marked `real_data`."""
    return Path(os.environ[_VARIABLE])

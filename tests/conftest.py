"""Shared fixtures, among them the real tables if they are available."""

import gc
import importlib
import os
import shutil
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import settings

# scikit-learn's checks of array-API input run only where SciPy's switch is on, and it is read at import.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

# Examples that each property is tested with; `pytest --hypothesis-profile many` is for a long run.
for _profile, _n_examples in {"many": 300, "few": 25}.items():
    settings.register_profile(
        _profile, max_examples=_n_examples, deadline=None, derandomize=bool(os.environ.get("CI")), database=None
    )
settings.load_profile("few")

_VARIABLE = "TABREC_DATA_DIR"
_BROWSER_FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


# The garbage collector would go through the modules and tests again and again; none of them is ever garbage.
gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


# Files whose tests are long and share nothing, so that workers may take them one by one.
_ONE_BY_ONE = {"test_notebooks.py", "test_examples.py", "test_documents.py", "test_accuracy.py", "test_main_job.py"}


def pytest_collection_modifyitems(items):
    """Assign the tests of a file to one worker, which creates their fixtures once: `pytest -n 2 --dist loadgroup`."""
    # The long ones first, so that the workers end at the same time: `--no-loadscope-reorder` keeps this order.
    items.sort(key=lambda item: (item.get_closest_marker("long") is None, item.path.name not in _ONE_BY_ONE))
    for item in items:
        file, _, name = item.nodeid.partition("::")
        group = f"{file}::{name}" if Path(file).name in _ONE_BY_ONE else file
        group = "docs" if "docs" in Path(file).parts else group  # they share the built site
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_runtest_setup(item):
    """Skip a test marked `real_data("bulldozers/Train.csv", ...)` if these tables are missing.

    If TABREC_REQUIRE_DATA is set, as in .ci/run, the test fails instead.
    """
    names = [name for mark in item.iter_markers("real_data") for name in mark.args]
    folder = os.environ.get(_VARIABLE)
    absent = names if folder is None else [name for name in names if not (Path(folder) / name).is_file()]
    if not absent:
        return
    reason = f"{_VARIABLE} is not set" if folder is None else f"{_VARIABLE} has no {absent[0]}"
    if os.environ.get("TABREC_REQUIRE_DATA"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real tables, for tests marked `real_data`."""
    return Path(os.environ[_VARIABLE])


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder that all workers share, for what is made once in a run, under a lock."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium that records its logs. Without it the test is skipped, or fails in .ci/run."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        if os.environ.get("TABREC_REQUIRE_BROWSER"):
            pytest.fail("Chromium or chromedriver is not installed")
        pytest.skip("Chromium or chromedriver is not installed")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in [*_BROWSER_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture(scope="session")
def oracle():
    """Imports a reference package. Without it the test is skipped, or fails in the second lane of .ci/run.

    ``oracle("treeinterpreter.treeinterpreter")`` is the module.
    """

    def find(name):
        try:
            return importlib.import_module(name)
        except ImportError as error:
            if os.environ.get("TABREC_REQUIRE_ORACLES"):
                pytest.fail(f"{name}: {error}")
            pytest.skip(f"{name} is not installed")

    return find


# For tests of what `train` does around a model.
_SMALL_MODELS = {
    "forest": {"n_estimators": 20},
    "boosting": {"max_iter": 30, "learning_rate": 0.1},
    "net": {"layers": (16,), "n_members": 2, "epochs": 10, "learning_rate": 0.03},
    "ensemble": {"cv": 2},
}


@pytest.fixture(scope="module")
def small_models():
    """Let `train` make small models of each kind; `tests/cli/test_main_job.py` trains those that users get."""
    from tabrec.runs import training, trials

    make_estimator = trials.make_estimator

    def make_small(model, *options):
        made = make_estimator(model, *options)
        return made.set_params(**_SMALL_MODELS.get(model, {}))  # members of an ensemble are made here too

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "make_estimator", make_small)
        patch.setattr(training, "make_estimator", make_small)
        yield


@pytest.fixture
def empty_figures(monkeypatch):
    """Let reports hold empty figures, for tests of their text: most of the time of a report goes into its figures."""
    monkeypatch.setattr("tabrec.interpret.page.blocks.to_svg", lambda *args, **options: '<svg viewBox="0 0 1 1"></svg>')


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the program in an empty folder and return its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    from tabrec.cli import main  # late: tests of single rooms need not load it

    def run_main(*arguments):
        monkeypatch.setattr(sys, "argv", ["tabrec", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return stopped.value.code or 0, printed.out, printed.err

    return run_main

"""Progress is shown in terminals and notebooks, and nowhere else unless it is asked for."""

import io
import re
import sys
import threading
import time
from types import ModuleType, SimpleNamespace

import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import InvalidParameterError, validate_params

from tabrec.tables import progress
from tabrec.tables.progress import is_shown, quiet_if_auto, show_progress, track
from tabrec.tables.verbosity import VERBOSE


class Stream(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


@pytest.fixture
def streams(monkeypatch):
    """Replace standard output and standard error by streams that are terminals or not; returns standard error."""

    def replace(output=True, errors=True):
        monkeypatch.setattr(sys, "stdout", Stream(output))
        monkeypatch.setattr(sys, "stderr", Stream(errors))
        progress.standard_error.cache_clear()
        return sys.stderr

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    yield replace
    progress.standard_error.cache_clear()


class Recorder(RegressorMixin, BaseEstimator):
    """Remembers whether progress would have been shown in fit."""

    shown: list = []

    def fit(self, X, y):
        self.shown.append(is_shown("auto"))
        self.n_features_in_ = 1
        return self

    def predict(self, X):
        return [0.0] * len(X)


@pytest.mark.parametrize(("output", "errors", "wanted"), [(1, 1, True), (0, 1, False), (1, 0, False), (0, 0, False)])
def test_auto_shows_progress_where_both_streams_are_terminals(streams, output, errors, wanted):
    streams(output, errors)
    assert is_shown("auto") is wanted
    assert [is_shown(value) for value in (1, True, 0)] == [True, True, False]


def test_a_closed_or_missing_stream_is_not_a_terminal(streams, monkeypatch):
    streams()
    monkeypatch.setattr(sys, "stdout", None)
    assert not is_shown("auto")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert not is_shown("auto")


def test_auto_is_quiet_within_pipelines_and_cross_validation(streams):
    streams()
    Recorder.shown.clear()
    X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0]
    Recorder().fit(X, y)
    make_pipeline(Recorder()).fit(X, y)
    cross_val_score(Recorder(), X, y, cv=2)
    assert Recorder.shown == [True, False, False, False]


def test_auto_is_quiet_in_other_threads(streams):
    streams()
    found = []
    thread = threading.Thread(target=lambda: found.append(is_shown("auto")))
    thread.start()
    thread.join()
    assert found == [False]


def test_work_hides_the_progress_of_its_parts_but_a_stage_does_not(streams):
    streams()
    with show_progress("Fitting a run"):
        assert is_shown("auto")
        with show_progress("Folds", 3):
            assert not is_shown("auto")
        assert is_shown("auto")


def test_partial_fits_are_quiet_unless_asked():
    assert quiet_if_auto("auto") is False
    assert quiet_if_auto(1) == 1


def test_a_terminal_keeps_the_table_and_removes_the_bar(streams):
    errors = streams()
    with show_progress("Training", 2) as shown:
        shown.add_row({"epoch": "0", "train RMSE": "0.5"})
        shown.advance(2)
        shown.add_row({"epoch": "1", "train RMSE": "0.25"})
    printed = errors.getvalue()
    assert "Training" in printed
    assert "0/2" in printed
    assert sys.stdout.getvalue() == ""
    final = [line for line in render(printed) if line.strip()]
    assert [line.split() for line in final] == [["epoch", "train", "RMSE"], ["0", "0.5"], ["1", "0.25"]]


def render(text):
    """The lines that a terminal shows in the end: erasures and movements of the cursor applied."""
    lines, row = [""], 0
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\n)", text.replace("\r", "")):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.startswith("\x1b["):
            row = max(row - int(part[2:-1] or 1), 0) if part.endswith("A") else row
            lines[row] = "" if part.endswith("K") else lines[row]
        else:
            lines[row] += part
    return lines


def test_a_log_gets_the_table_and_no_bar(streams):
    errors = streams(False, False)
    with show_progress("Training", 2, verbose=1) as shown:
        shown.add_row({"epoch": "0", "train RMSE": "0.5"})
        shown.advance()
    assert [line.split() for line in errors.getvalue().splitlines()] == [["epoch", "train", "RMSE"], ["0", "0.5"]]


def test_a_log_says_how_far_long_work_is(streams, monkeypatch):
    errors = streams(False, False)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    assert list(track("abcd", "Growing trees", 4, verbose=1)) == list("abcd")
    lines = errors.getvalue().splitlines()
    assert lines[0] == "Growing trees 1/4, 0:00 left"
    assert lines[-1] == "Growing trees 4/4, 0:00"


def test_nothing_is_printed_where_nothing_is_asked_for(streams):
    errors = streams(False, False)
    with show_progress("Training", 2) as shown:
        shown.add_row({"epoch": "0"})
        shown.advance()
    assert errors.getvalue() == "" == sys.stdout.getvalue()


def test_work_that_cannot_count_its_steps_is_followed(streams):
    streams(False, False)
    done = [0]
    with show_progress("Growing trees", 8, verbose=1, follow=lambda: done[0]) as shown:
        done[0] = 5
        deadline = time.monotonic() + 10
        while shown.done != 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert shown.done == 5
        done[0] = 8
    assert shown.done == 8
    assert sys.stderr.getvalue() == "Growing trees 8/8, 0:00\n"


def test_an_error_ends_the_progress(streams):
    streams()
    with pytest.raises(ZeroDivisionError), show_progress("Training", 2):
        _ = 1 / 0
    assert is_shown("auto")
    assert progress._drawn == [] == progress._active


def test_a_notebook_shows_a_table_in_html(monkeypatch):
    pages = []

    class Handle:
        def update(self, page):
            pages.append(page)

    def display(page, display_id):
        assert display_id is True
        pages.append(page)
        return Handle()

    shell = ModuleType("IPython")
    shell.get_ipython = lambda: SimpleNamespace(kernel=object())
    shell.display = ModuleType("IPython.display")
    shell.display.HTML, shell.display.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", shell.display)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_UPDATES", 0.0)
    with show_progress("Training", 4) as shown:
        shown.add_row({"epoch": "0", "<metric>": "0.5"})
        shown.advance()
    assert pages[0] == '<progress value="0" max="4"></progress> Training 0/4'
    table = "<table><thead><tr><th>epoch</th><th>&lt;metric&gt;</th></tr></thead><tbody><tr><td>0</td><td>0.5</td></tr>"
    assert pages[1] == table + '</tbody></table><progress value="1" max="4"></progress> Training 1/4, 0:00 left'
    assert pages[2] == table + "</tbody></table>"


def test_verbose_is_a_number_a_bool_or_auto():
    @validate_params({"verbose": VERBOSE}, prefer_skip_nested_validation=True)
    def work(verbose):
        return verbose

    assert [work(value) for value in (0, 2, True, "auto")] == [0, 2, True, "auto"]
    with pytest.raises(InvalidParameterError, match="verbose"):
        work("loud")

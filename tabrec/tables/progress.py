"""`show_progress`: the display of long work, lines that stay and a bar with the time left.

`verbose="auto"` shows it in terminals and notebooks, and nothing where another program reads the output, within
scikit-learn's pipelines and searches, within work that shows its own progress, and outside the main thread.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from html import escape
from typing import Any, TypeVar

# Modules of scikit-learn that wrap a single fit; other modules, such as searches, call fits as parts of other work.
_TRANSPARENT = ("sklearn.base", "sklearn.utils")
_SECONDS_BETWEEN_POLLS = 0.1
# Smallest intervals between lines in a log and between updates in a notebook.
_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_UPDATES = 0.2
_LEAST_WIDTH = 9

_Item = TypeVar("_Item")
# Work whose progress is shown; the progress of its parts is hidden.
_active: list[Progress] = []
# The current display of rich, if any.
_drawn: list[Any] = []


class Progress:
    """The progress of one piece of work; this base class shows nothing."""

    is_shown = False

    def __init__(self, title: str, total: int | None):
        self.title, self.total, self.done = title, total, 0
        self.started = time.perf_counter()
        self.columns: list[str] = []

    def advance(self, n: int = 1) -> None:
        """Count `n` further steps as done."""
        self.reach(self.done + n)

    def reach(self, done: int) -> None:
        """Set the number of steps that are done."""
        if done != self.done:
            self.done = done
            self._update()

    def add_row(self, cells: Mapping[str, str]) -> None:
        """Add a line to a table of texts by column."""
        if not self.columns:
            self.columns = list(cells)
            self._say(cells, is_header=True)
        self._say(cells)

    def open(self) -> None:
        """Begin to show the bar."""

    def close(self) -> None:
        """Remove the bar; the lines stay."""

    def _update(self) -> None:
        """Show the new state."""

    def _say(self, cells: Mapping[str, str], is_header: bool = False) -> None:
        """Show a line of the table."""

    def _align(self, cells: Mapping[str, str], is_header: bool) -> str:
        texts = {name: name if is_header else cells.get(name, "") for name in self.columns}
        return "  ".join(text.rjust(max(len(name), _LEAST_WIDTH)) for name, text in texts.items())

    def _seconds_left(self) -> float | None:
        if not self.total or not self.done:
            return None
        return (time.perf_counter() - self.started) / self.done * (self.total - self.done)

    def _state(self) -> str:
        left = self._seconds_left()
        share = f" {self.done:,}/{self.total:,}" if self.total else ""
        return f"{self.title}{share}{'' if left is None else f', {_clock(left)} left'}"


class _TerminalProgress(Progress):
    """A bar of rich on standard error, with the lines above it."""

    is_shown = True

    def open(self) -> None:
        if not _drawn:
            _drawn.append(_bars_class()(console=standard_error(), transient=True, redirect_stdout=sys.stdout.isatty()))
            _drawn[0].start()
        self._task = _drawn[0].add_task(self.title, total=self.total)

    def close(self) -> None:
        _drawn[0].remove_task(self._task)
        if not _drawn[0].tasks:
            _drawn.pop().stop()

    def _update(self) -> None:
        _drawn[0].update(self._task, completed=self.done)

    def _say(self, cells: Mapping[str, str], is_header: bool = False) -> None:
        text = self._align(cells, is_header)
        standard_error().print(text, style="bold" if is_header else None, markup=False, soft_wrap=True)


class _NotebookProgress(Progress):
    """A table and a bar in HTML, updated in place; it needs no widgets."""

    is_shown = True

    def open(self) -> None:
        from IPython.display import HTML, display

        self._rows: list[list[str]] = []
        self._to_html, self._is_open, self._updated = HTML, True, 0.0
        self._handle: Any = display(HTML(self._html()), display_id=True)

    def close(self) -> None:
        self._is_open = False
        self._handle.update(self._to_html(self._html()))

    def _update(self) -> None:
        if time.perf_counter() - self._updated > _SECONDS_BETWEEN_UPDATES:
            self._updated = time.perf_counter()
            self._handle.update(self._to_html(self._html()))

    def _say(self, cells: Mapping[str, str], is_header: bool = False) -> None:
        if not is_header:
            self._rows.append([cells.get(name, "") for name in self.columns])

    def _html(self) -> str:
        parts = []
        if self._rows:
            heads = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
            rows = ("".join(f"<td>{escape(text)}</td>" for text in row) for row in self._rows)
            body = "".join(f"<tr>{row}</tr>" for row in rows)
            parts.append(f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>")
        if self._is_open:
            value = f' value="{self.done}" max="{self.total}"' if self.total else ""
            parts.append(f"<progress{value}></progress> {escape(self._state())}")
        return "".join(parts)


class _LogProgress(Progress):
    """Lines on standard error: those of the table, and now and then the state of the work."""

    is_shown = True

    def open(self) -> None:
        self._updated = self.started
        if self.total is None:
            self._print(self.title)

    def close(self) -> None:
        if self.total and not self.columns:
            seconds = time.perf_counter() - self.started
            self._print(f"{self.title} {self.done:,}/{self.total:,}, {_clock(seconds)}")

    def _update(self) -> None:
        if time.perf_counter() - self._updated > _SECONDS_BETWEEN_LINES:
            self._updated = time.perf_counter()
            self._print(self._state())

    def _say(self, cells: Mapping[str, str], is_header: bool = False) -> None:
        self._updated = time.perf_counter()
        self._print(self._align(cells, is_header))

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


@contextmanager
def show_progress(
    title: str, total: int | None = None, verbose: Any = "auto", follow: Callable[[], int] | None = None
) -> Iterator[Progress]:
    """Show the progress of the work of a `with` block.

    Parameters
    ----------
    title : str
        Name of the work, such as "Growing trees".
    total : int, default=None
        Number of steps; None for a stage of unknown length, within which other progress is shown as well.
    verbose : {"auto"}, bool or int, default="auto"
        Whether to show it; "auto" does so in terminals and notebooks.
    follow : callable, default=None
        Returns the number of steps that are done, for work that cannot call `advance`.

    Yields
    ------
    Progress
        `advance` and `reach` count steps, `add_row` adds a line to a table.
    """
    progress = (_surface() if is_shown(verbose) else Progress)(title, total)
    is_whole = total is not None and progress.is_shown
    if is_whole:
        _active.append(progress)
    progress.open()
    try:
        with _followed(progress, follow if progress.is_shown else None):
            yield progress
    finally:
        progress.close()
        if is_whole:
            _active.remove(progress)


def track(items: Iterable[_Item], title: str, total: int, verbose: Any = "auto") -> Iterator[_Item]:
    """Yield the items of a loop, one step for each."""
    with show_progress(title, total, verbose) as progress:
        for item in items:
            yield item
            progress.advance()


def is_shown(verbose: Any) -> bool:
    """Return whether this value of `verbose` shows the progress here."""
    return bool(verbose) if not isinstance(verbose, str) else _is_interactive() and not _is_within_other_work()


def quiet_if_auto(verbose: Any) -> Any:
    """Return `verbose` for short, often repeated work such as `partial_fit`, where "auto" shows nothing."""
    return False if isinstance(verbose, str) else verbose


@cache
def standard_error() -> Any:
    """Return the console that bars and their lines share, on standard error."""
    from rich.console import Console

    # NO_COLOR also disables bold and dim: no styles are printed.
    return Console(stderr=True, highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")


@cache
def _bars_class() -> Any:
    """Create the class on first use, because rich is slow to import."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Table

    class Bars(Progress):
        """A line for each task: a bar with the time left, or a spinner if its length is unknown."""

        _spinner = SpinnerColumn("line" if standard_error().options.ascii_only else "dots")
        _of_stage = (_spinner, TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        _of_work = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TimeRemainingColumn(),
        )

        def get_renderables(self) -> Any:
            for task in self.tasks:
                line = Table.grid(padding=(0, 1))
                line.add_row(*(column(task) for column in (self._of_work if task.total else self._of_stage)))
                yield line

    return Bars


def _surface() -> type[Progress]:
    if _is_notebook():
        return _NotebookProgress
    return _TerminalProgress if _is_terminal(sys.stderr) else _LogProgress


def _is_interactive() -> bool:
    return _is_notebook() or (_is_terminal(sys.stdout) and _is_terminal(sys.stderr))


def _is_terminal(stream: Any) -> bool:
    # While rich draws a bar it replaces the streams; its older releases say that theirs are not terminals.
    stream = getattr(stream, "rich_proxied_file", stream)
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # no stream, or a closed one
        return False


def _is_notebook() -> bool:
    """Return whether the shell is that of a kernel, which displays HTML."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _is_within_other_work() -> bool:
    is_main = threading.current_thread() is threading.main_thread()
    if _active or not is_main or multiprocessing.current_process().name != "MainProcess":
        return True
    frame: Any = sys._getframe()
    while frame is not None:
        package, _, _ = (name := str(frame.f_globals.get("__name__", ""))).partition(".")
        if package == "joblib" or (package == "sklearn" and not name.startswith(_TRANSPARENT)):
            return True
        frame = frame.f_back
    return False


@contextmanager
def _followed(progress: Progress, count: Callable[[], int] | None) -> Iterator[None]:
    """Poll the number of steps that are done in a thread while the block runs."""
    if count is None:
        yield
        return
    ended = threading.Event()

    def poll() -> None:
        while not ended.wait(_SECONDS_BETWEEN_POLLS):
            progress.reach(count())

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        progress.reach(count())


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"

"""The application: its commands and the handling of errors."""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

import tabrec
from tabrec.cli._data import download, submit
from tabrec.cli._demo import demo
from tabrec.cli._explain import card, explain
from tabrec.cli._help import Command, Group
from tabrec.cli._option_names import name_options
from tabrec.cli._plan import plan
from tabrec.cli._printing import (
    console,
    errors,
    forget_warnings,
    one_line,
    print_error,
    print_warning,
    replace_unencodable,
)
from tabrec.cli._rankings import rank
from tabrec.cli._ratings import rate
from tabrec.cli._recommending import recommend, similar
from tabrec.cli._tables import columns, predict, train

_COMMANDS: dict[str, list[Callable[..., None]]] = {
    "Start": [demo, download],
    "Tables": [columns, train, predict, submit, plan],
    "Ratings and clicks": [rate, rank, recommend, similar],
    "Reports": [explain, card],
}
_MISTAKE = 2
_INTERRUPTED = 130  # 128 + SIGINT, as shells count

# The base class of usage errors: that of click or of typer, depending on the version of typer.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(cls=Group, pretty_exceptions_enable=False, rich_markup_mode="rich")
for _panel, _commands in _COMMANDS.items():
    for _command in _commands:
        app.command(cls=Command, rich_help_panel=_panel)(_command)


def main() -> None:
    """Run the command line: an error is one line and exit code 2, Ctrl-C one line and 130, without a traceback."""
    forget_warnings()
    warnings.showwarning = _show_warning
    replace_unencodable(sys.stdout, sys.stderr)
    with _stopped_by_interrupt():
        sys.exit(_run())


def _run() -> int:
    try:
        return app(prog_name="tabrec", standalone_mode=False) or 0
    except _UsageError as error:
        print_error(_explain_usage(error))
    except (ValueError, TypeError, OSError, ImportError) as error:  # ImportError: an extra is not installed
        print_error(name_options(one_line(error), _commands_of_app()))
    except MemoryError:
        print_error("Not enough memory for this table: use fewer rows or columns.")
    return _MISTAKE


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    print_warning(name_options(one_line(message), _commands_of_app()))


def _commands_of_app() -> Iterable[Any]:
    return typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]


@contextmanager
def _stopped_by_interrupt() -> Iterator[None]:
    """Exit on Ctrl-C with a SystemExit: nets take a KeyboardInterrupt as a request to stop training early."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ours = ours and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    except SystemExit as stop:
        if stop.code == _INTERRUPTED:
            errors.print("interrupted")
        raise
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(*_: object) -> None:
    sys.exit(_INTERRUPTED)


def _explain_usage(error: Exception) -> str:
    message = one_line(error.format_message()).removesuffix(".")  # type: ignore[attr-defined]
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    if parameter is not None and message.startswith("Missing"):
        message += f": {parameter.help[:1].lower()}{parameter.help[1:].removesuffix('.')}"
    return f"{message}. See {context.command_path} --help." if context else f"{message}."


def _print_version(wanted: bool) -> None:
    if wanted:
        console.print(f"tabrec {tabrec.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _begin(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Tabular and recommender models, with time-based validation.

    Start with [bold]tabrec demo[/], which generates its own tables and writes a report;
    then run [bold]tabrec columns[/] and [bold]tabrec train[/] on a table of your own.

    Example:
      tabrec train Train.csv --target SalePrice
      tabrec predict runs/Train-forest Valid.csv
      tabrec explain runs/Train-forest

    COMMAND --help shows an example of each; the guide is docs/command-line.md.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)

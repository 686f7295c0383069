"""The program: its commands in the order of their use, and what becomes of a mistake."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Annotated

import typer

import tabrec
from tabrec._printing import complain, console, errors, one_line, print_warning, read_by_anything
from tabrec.cli._data import download, submit
from tabrec.cli._demo import demo
from tabrec.cli._help import Command, Group
from tabrec.cli._ratings import rate, recommend, similar
from tabrec.cli._reasons import explain
from tabrec.cli._tables import columns, predict, train

_COMMANDS: dict[str, list[Callable[..., None]]] = {
    "Begin": [demo, download],
    "Tables": [columns, train, predict, submit],
    "Ratings": [rate, recommend, similar],
    "Reasons": [explain],
}
_INTERRUPTED = 130  # 128 + SIGINT, as shells count

# The base of what typer raises for a command line that it cannot read: click's, or typer's own, by its version.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(cls=Group, pretty_exceptions_enable=False, rich_markup_mode="rich")
for _panel, _commands in _COMMANDS.items():
    for _command in _commands:
        app.command(cls=Command, rich_help_panel=_panel)(_command)


def main() -> None:
    """Run the command line: a user's mistake is one line and exit code 2, never a traceback."""
    warnings.showwarning = print_warning
    read_by_anything(sys.stdout, sys.stderr)
    try:
        code = app(standalone_mode=False) or 0
    except _UsageError as error:
        complain(_explain_usage(error))
        code = 2
    except (ValueError, TypeError, OSError) as error:
        complain(one_line(error))
        code = 2
    except KeyboardInterrupt:
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        errors.print("interrupted: what was under way has left no file")
    sys.exit(code)


def _explain_usage(error: Exception) -> str:
    message = one_line(error.format_message())  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    return f"{message} See {context.command_path} --help." if context else message


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
    """Models from raw tables and ratings, with honest validation.

    Begin with [bold]tabrec demo[/], which makes its own tables and then a page to open;
    then try [bold]tabrec columns[/] and [bold]tabrec train[/] on a table of yours.

    Example:
      tabrec train Train.csv --target SalePrice
      tabrec predict runs/Train-forest Valid.csv
      tabrec explain runs/Train-forest

    COMMAND --help has an example of each; the guide is docs/command-line.md.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)

"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tabrec.cli._completion import one_of
from tabrec.cli._printing import show_stages


def argument(metavar: str, help: str, **how: Any) -> Any:
    return typer.Argument(metavar=metavar, help=help, **{"show_default": False, **how})


def option(metavar: str, help: str, default: str | bool = True, *names: str, **how: Any) -> Any:
    """Return an option; `default` is the text that help shows as its default, or True to show the value."""
    return typer.Option(*names, metavar=metavar, help=help, show_default=default, **how)


def choice(choices: dict[str, str], metavar: str, help: str) -> Any:
    """Return an option with a fixed set of values: completed by the shell, and checked before any file is read."""

    def check(value: str) -> str:
        if value not in choices:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(choices)}.")
        return value

    return option(metavar, help, autocompletion=one_of(choices), callback=check)


def in_reading(metavar: str, help: str, default: str | bool = False) -> Any:
    return option(metavar, help, default, rich_help_panel="Reading the table")


def validation(metavar: str, help: str, default: str | bool = False, *names: str) -> Any:
    return option(metavar, help, default, *names, rich_help_panel="Validation rows")


def new_rows(metavar: str, help: str, default: str | bool = False, *names: str) -> Any:
    return option(metavar, help, default, *names, rich_help_panel="New rows")


Table = Annotated[
    Path | None,
    argument("TABLE", "A file (CSV, parquet, JSON, xlsx, …), a folder, a quoted pattern, or - for standard input."),
]
Verbose = Annotated[
    bool, option("", "Print each stage to a file too.", True, "--verbose", callback=show_stages, is_eager=True)
]
Seed = Annotated[int, option("N", "Seed: the same seed gives the same model.")]
Force = Annotated[bool, option("", "Replace the file.", True, "--force")]
Count = Annotated[int, option("N", "Number of items.", True, "-n", min=1)]

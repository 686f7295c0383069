"""Options of reading a table, which several commands share."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from tabrec.cli._options import in_reading, option
from tabrec.cli._printing import escape, say, stage

_OPTIONS: dict[str, Any] = {
    "delimiter": Annotated[
        str | None, in_reading("TEXT", "A character, or tab, comma, semicolon, pipe or space.", "detected")
    ],
    "encoding": Annotated[str | None, in_reading("NAME", "Encoding of the text, such as latin-1.", "detected")],
    "decimal": Annotated[str | None, in_reading("MARK", "Decimal mark: a point or a comma.", "detected")],
    "names": Annotated[str | None, in_reading("NAMES", "Names of the columns, separated by commas.", "the first line")],
    "names_from": Annotated[Path | None, in_reading("FILE", "File with the names: a header, or one name per line.")],
    "header": Annotated[
        bool | None,
        option(
            "",
            "Whether the first line holds the names.",
            "detected",
            "--header/--no-header",
            rich_help_panel="Reading the table",
        ),
    ],
    "sheet": Annotated[str | None, in_reading("NAME", "Sheet of a spreadsheet.", "the first")],
    "query": Annotated[str | None, in_reading("SQL", "Query to a database, in place of a table.")],
    "address": Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="Database of the query, such as sqlite:///sales.db.",
            show_default=False,
            rich_help_panel="Reading the table",
        ),
    ],
    "missing": Annotated[
        list[str] | None, in_reading("TEXT", "A mark of missing values besides the usual ones; repeatable.")
    ],
    "date_formats": Annotated[
        list[str] | None,
        typer.Option(
            "--date",
            metavar="COLUMN=FORMAT",
            help="Format of a column of dates, such as %d/%m/%Y, quarter, week, seconds, excel or none; repeatable.",
            show_default=False,
            rich_help_panel="Reading the table",
        ),
    ],
}


@dataclass(frozen=True)
class Reading:
    """The options of `read_table`, or the query to a database, that a command was given."""

    options: dict[str, Any]
    query: str | None = None
    address: str | None = None

    def check(self, table: Path | None) -> None:
        """Raise a ValueError unless there is a table or a query, and not both."""
        if (self.query is None) != (self.address is None):
            raise ValueError("A query needs both --query and --from, as in --query sales --from sqlite:///sales.db.")
        if (table is None) == (self.query is None):
            raise ValueError("Name a table, or a query with --query and --from; not both.")

    def given(self) -> dict[str, Any]:
        """Return the options by their names on the command line."""
        names = {"names_from": "--names-from", "date_formats": "--date"}
        return {names.get(name, f"--{name}"): value for name, value in self.options.items()} | {"--query": self.query}

    def read(self, table: Any, reader: Callable[..., Any] | None = None) -> Any:
        """Read a table, by `read_table` or another function with its options, and print the assumptions."""
        self.check(table)
        with stage(f"Reading {table or self.query}"):
            from tabrec.datasets import read_query, read_table
            from tabrec.tables.names import check_has_column

            if self.query is not None:
                return read_query(self.query, self.address)
            frame = (reader or read_table)(table, **self.options)
            for name in self.options.get("date_formats", ()):
                check_has_column(name, frame.columns, "dates")
        say_assumed(table, frame)
        return frame


def say_assumed(table: Path | None, frame: Any) -> None:
    if assumed := frame.attrs.get("assumed"):
        name = "standard input" if str(table) == "-" else str(table)
        say(f"{escape(name)}: {escape(', '.join(assumed))}.")


def reads_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `read_table`; it receives them as one argument, `reading`."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "reading"]
    more = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)
        for name, annotation in _OPTIONS.items()
    ]

    @wraps(command)
    def with_options(**values: Any) -> None:
        given = {name: values.pop(name) for name in _OPTIONS}
        query, address = given.pop("query"), given.pop("address")
        command(**values, reading=Reading(_read_options(**given), query, address))

    with_options.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *more]}
    return with_options


def _read_options(
    names: str | None, names_from: Path | None, date_formats: list[str] | None, **options: Any
) -> dict[str, Any]:
    """Return the options that were given as parameters of `read_table`."""
    if names is not None and names_from is not None:
        raise ValueError("Give either --names or --names-from, not both.")
    if names is not None:
        options["names"] = next(csv.reader([names], skipinitialspace=True))
    if names_from is not None:
        from tabrec.datasets.tables import read_names

        options["names"] = read_names(names_from)
    options["date_formats"] = dict(map(_split_format, date_formats or []))
    return {name: value for name, value in options.items() if value not in (None, [], {})}


def _split_format(given: str) -> tuple[str, str]:
    name, _, date_format = given.rpartition("=")
    if not name or not date_format:
        raise ValueError(f"--date {given!r} must be COLUMN=FORMAT, as in --date sold=%d/%m/%Y.")
    return name, date_format

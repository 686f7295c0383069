"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

READING = "Reading the table"
VALIDATION = "Rows that validate"

Table = Annotated[Path, typer.Argument(metavar="TABLE", help="A CSV or parquet file.", show_default=False)]
Delimiter = Annotated[
    str, typer.Option(metavar="TEXT", help="What separates the fields of a CSV.", rich_help_panel=READING)
]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed: the same one gives the same model.")]
Count = Annotated[int, typer.Option("-n", metavar="N", help="How many items.", min=1)]

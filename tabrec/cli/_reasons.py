"""The command for reasons: explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabrec.cli._completion import any_run
from tabrec.cli._printing import console, escape, print_findings, say


def explain(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="Folder that train or rate made.", show_default=False, autocompletion=any_run
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="HTML page to write.", show_default="<run>/report.html"),
    ] = None,
    new: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE", help="Table of the newest rows, to compare with.", show_default="the validation rows"
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="The table of the run, if it has moved.", show_default="where it was"),
    ] = None,
) -> None:
    """Explain a run on one page: importance, effects, reasons, confidence, shift, and what to do about them.

    Example:
      tabrec explain runs/Train-forest --new Valid.csv

    The page is one file, which asks nothing of any network.
    """
    from tabrec.runs.explain_run import explain_run
    from tabrec.saving.files import check_free

    out = out or run / "report.html"
    check_free(out)
    page = explain_run(run, table=table, new=new, verbose=console.is_terminal)
    page.save(out)
    print_findings(page.findings)
    say(f"The report is in {escape(out)}: open it in a browser.")

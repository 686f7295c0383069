"""The commands that explain a run: explain, card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tabrec.cli._completion import any_run
from tabrec.cli._options import Force, argument, option
from tabrec.cli._printing import escape, print_findings, say, stage
from tabrec.cli._reading import Reading, reads_tables


@reads_tables
def explain(
    run: Annotated[Path, argument("RUN", "Folder that train, rate or rank created.", autocompletion=any_run)],
    reading: Reading,
    out: Annotated[Path | None, option("FILE", "HTML page to write.", "<run>/report.html", "--out", "-o")] = None,
    force: Force = False,
    new: Annotated[
        Path | None, option("TABLE", "Table of the newest rows to compare with.", "the validation rows")
    ] = None,
    table: Annotated[Path | None, option("TABLE", "The table of the run, if it was moved.", "where it was")] = None,
) -> None:
    """Explain a run on one page: importance, effects, confidence, shift, and recommended actions.

    Example:
      tabrec explain runs/Train-forest --new Valid.csv

    The page is one self-contained file.
    """
    with stage("Starting"):
        from tabrec.runs import Run, TableRun
        from tabrec.runs.run import REPORT_FILE
        from tabrec.saving.files import check_free_for_file

    out = out or run / REPORT_FILE
    check_free_for_file(out, overwrite=force)
    with stage(f"Loading {run}"):
        opened = Run.open(run)
    has_new = new is not None or reading.query is not None
    rows = reading.read(new, opened.read_table) if has_new and isinstance(opened, TableRun) else None
    page = opened.explain(table=table, new=rows)
    page.save(out, overwrite=force)
    print_findings(page.findings)
    say(f"The report is in {escape(out)}: open it in a browser.")


def card(
    run: Annotated[Path, argument("RUN", "Folder that train, rate or rank created.", autocompletion=any_run)],
    out: Annotated[Path | None, option("FILE", "Markdown file to write.", "the terminal", "--out", "-o")] = None,
    force: Force = False,
) -> None:
    """Show the model card of a run: its data, columns, rows held out, scores and versions, as Markdown.

    Example:
      tabrec card runs/Train-forest -o MODEL.md

    It holds only the records of the run; describe the intended use yourself.
    """
    with stage("Starting"):
        from tabrec.runs import model_card
        from tabrec.saving.files import check_free_for_file, new_file

    if out is not None:
        check_free_for_file(out, overwrite=force)
    text = model_card(run)
    if out is None:
        print(text, end="")
        return
    with new_file(out, overwrite=force) as file:
        file.write_text(text, encoding="utf-8")
    say(f"The model card is in {escape(out)}.")

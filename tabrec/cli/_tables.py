"""The commands for tables: columns, train, predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tabrec.cli._completion import TABLE_MODELS, TASKS, one_of, run_of_train
from tabrec.cli._options import READING, VALIDATION, Delimiter, Seed, Table
from tabrec.cli._printing import escape, print_columns, print_kinds, print_scores, say, stage


def columns(
    table: Table,
    max_card: Annotated[
        int, typer.Option(metavar="N", help="Whole numbers of at most so many values are categories.")
    ] = 20,
    delimiter: Delimiter = ",",
) -> None:
    """Show what kind of column each one is.

    Example:
      tabrec columns Train.csv

    Next: tabrec train Train.csv --target COLUMN.
    """
    from tabrec.datasets import read_table

    with stage(f"Reading {table}"):
        frame = read_table(table, delimiter=delimiter)
    print_columns(frame, max_card)


def train(
    table: Table,
    target: Annotated[str, typer.Option(metavar="COLUMN", help="Column to predict.", show_default=False)],
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="forest, boosting, net, or ensemble (forest and net).",
            autocompletion=one_of(TABLE_MODELS),
        ),
    ] = "forest",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder to make for the run.", show_default="runs/<table>-<model>"),
    ] = None,
    log_target: Annotated[bool, typer.Option("--log-target", help="Learn the logarithm of the target.")] = False,
    task: Annotated[
        str,
        typer.Option(metavar="TASK", help="auto, regression or classification.", autocompletion=one_of(TASKS)),
    ] = "auto",
    random_state: Seed = 0,
    time_column: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Date column: the latest rows validate.",
            show_default="a random fifth validates",
            rich_help_panel=VALIDATION,
        ),
    ] = None,
    valid_from: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="First date of the rows that validate.",
            show_default="the latest fifth",
            rich_help_panel=VALIDATION,
        ),
    ] = None,
    date_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="Format of the date column, such as %d/%m/%Y.",
            show_default=False,
            rich_help_panel=VALIDATION,
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN", help="Column to leave out; may be repeated.", show_default=False, rich_help_panel=READING
        ),
    ] = None,
    categorical: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="Column to take as labels; may be repeated.",
            show_default=False,
            rich_help_panel=READING,
        ),
    ] = None,
    delimiter: Delimiter = ",",
) -> None:
    """Train a model on a table and score it on rows held out.

    Example:
      tabrec train Train.csv --target SalePrice --log-target \\
        --time-column saledate --valid-from 2011-01-01

    Next: tabrec predict for new rows, and tabrec explain for the reasons.
    """
    from tabrec.datasets import read_table
    from tabrec.runs.explain_run import describe_table
    from tabrec.saving.files import check_free

    out = out or free_path(Path("runs") / f"{table.stem}-{model}")
    check_free(out)
    with stage(f"Reading {table}"):
        frame = read_table(table, delimiter=delimiter)
    train_and_save(
        frame,
        out,
        describe_table(table, delimiter),
        target=target,
        model=model,
        log_target=log_target,
        time_column=time_column,
        valid_from=valid_from,
        date_format=date_format,
        task=task,
        drop=drop or (),
        categorical=categorical or (),
        random_state=random_state,
    )


def predict(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="Folder that train made.", show_default=False, autocompletion=run_of_train),
    ],
    table: Table,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="CSV to write.")] = Path("predictions.csv"),
    id_column: Annotated[
        str | None,
        typer.Option("--id", metavar="COLUMN", help="Column to put before the predictions.", show_default="row number"),
    ] = None,
    delimiter: Delimiter = ",",
) -> None:
    """Predict every row of a table.

    Example:
      tabrec predict runs/Train-forest Valid.csv --id SalesID -o submission.csv

    Every row gets a prediction; a column that is missing or unreadable is an error.
    """
    from tabrec.datasets import read_table
    from tabrec.runs.table_run import predict_table, read_metadata
    from tabrec.saving.files import check_free, new_file

    check_free(out)
    metadata = read_metadata(run)
    if "target" not in metadata:
        raise ValueError(f"{run} holds a recommender, which rate made: see tabrec recommend.")
    with stage(f"Predicting {table}"):
        frame = read_table(table, delimiter=delimiter, text_columns=metadata["text_columns"])
        predictions = predict_table(run, frame, id_column=id_column)
    with new_file(out) as file:
        predictions.to_csv(file, index=False)
    say(f"{len(predictions):,} predictions of {escape(metadata['target'])} are in {escape(out)}.")


def train_and_save(
    frame: Any, out: Path, table: dict, *, shown: Path | None = None, show_kinds: bool = True, **options: Any
) -> None:
    """Train by `options`, save to `out`, which will be at `shown`, and print the scores."""
    from tabrec.runs.table_run import find_preprocessor, save_run, train

    with stage(f"Training a {options['model']} on {len(frame):,} rows"):
        run = train(frame, **options)
        run.metadata["table"] = table
        save_run(run, out)
    if show_kinds:
        print_kinds(find_preprocessor(run.model).kinds_)
    print_scores(run)
    say_where(shown or out)


def say_where(run: Path) -> None:
    say(f"The run is in {escape(run)}: model/, metrics.json, predictions.csv.")


def free_path(path: Path) -> Path:
    """The path, or the first of path-2, path-3, … that is free."""
    candidates = (path if n == 1 else path.with_name(f"{path.name}-{n}") for n in range(1, 10_000))
    return next(candidate for candidate in candidates if not candidate.exists())

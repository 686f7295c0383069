"""The commands for tables: columns, train, predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from tabrec.cli._completion import TABLE_MODELS, TASKS, run_of_train
from tabrec.cli._options import Seed, Table, argument, choice, in_reading, option, validation
from tabrec.cli._printing import escape, print_columns, print_kinds, print_scores, say, stage
from tabrec.cli._reading import Reading, reads_tables


@reads_tables
def columns(
    reading: Reading,
    table: Table = None,
    max_card: Annotated[int, option("N", "Integers with at most this many values are categories.")] = 20,
) -> None:
    """Show the kind of each column.

    Example:
      tabrec columns Train.csv

    Next: tabrec train Train.csv --target COLUMN.
    """
    print_columns(reading.read(table), max_card)


@reads_tables
def train(
    target: Annotated[str, option("COLUMN", "Column to predict.", False)],
    reading: Reading,
    table: Table = None,
    model: Annotated[
        str, choice(TABLE_MODELS, "MODEL", "forest, boosting, net, or ensemble (forest and net).")
    ] = "forest",
    out: Annotated[Path | None, option("FOLDER", "Folder to create for the run.", "runs/<table>-<model>")] = None,
    log_target: Annotated[bool, option("", "Learn the logarithm of the target.", True, "--log-target")] = False,
    task: Annotated[str, choice(TASKS, "TASK", "auto, regression or classification.")] = "auto",
    random_state: Seed = 0,
    time_column: Annotated[
        str | None, validation("COLUMN", "Date column: the latest rows are held out.", "a random fifth is held out")
    ] = None,
    valid_from: Annotated[
        str | None, validation("DATE", "First date of the validation rows.", "the latest fifth")
    ] = None,
    date_format: Annotated[str | None, validation("FORMAT", "Format of the date column, such as %d/%m/%Y.")] = None,
    drop: Annotated[list[str] | None, in_reading("COLUMN", "Column to leave out; repeatable.")] = None,
    categorical: Annotated[list[str] | None, in_reading("COLUMN", "Column to read as labels; repeatable.")] = None,
) -> None:
    """Train a model on a table and score it on validation rows.

    Example:
      tabrec train Train.csv --target SalePrice --log-target \\
        --time-column saledate --valid-from 2011-01-01

    Next: tabrec predict for new rows, and tabrec explain for a report.
    """
    from tabrec.runs.trained_table import describe_table
    from tabrec.saving.files import check_free

    reading.check(table)
    out = out or free_path(Path("runs") / f"{short_name(table)}-{model}")
    check_free(out)
    train_and_save(
        reading.read(table),
        out,
        describe_table(table, reading.options),
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


@reads_tables
def predict(
    run: Annotated[Path, argument("RUN", "Folder that train created.", autocompletion=run_of_train)],
    reading: Reading,
    table: Table = None,
    out: Annotated[Path, option("FILE", "CSV to write.", True, "--out", "-o")] = Path("predictions.csv"),
    id_column: Annotated[
        str | None, option("COLUMN", "Column to put before the predictions.", "row number", "--id")
    ] = None,
) -> None:
    """Predict every row of a table.

    Example:
      tabrec predict runs/Train-forest Valid.csv --id SalesID -o submission.csv

    Every row gets a prediction; a missing or unreadable column is an error.
    """
    from tabrec.runs import TableRun
    from tabrec.saving.files import check_free, new_file

    check_free(out)
    with stage(f"Loading {run}"):
        opened = TableRun.open(run)
    frame = reading.read(table, opened.read_table)
    with stage("Predicting"):
        predictions = opened.predict(frame, id_column=id_column)
    with new_file(out) as file:
        predictions.to_csv(file, index=False)
    say(f"{len(predictions):,} predictions of {escape(opened.metadata['target'])} are in {escape(out)}.")


def train_and_save(
    frame: Any, out: Path, table: dict, *, shown: Path | None = None, show_kinds: bool = True, **options: Any
) -> None:
    """Train with `options`, save to `out`, which will move to `shown`, and print the scores."""
    from tabrec.runs import train

    with stage(f"Training a {options['model']} on {len(frame):,} rows"):
        run = train(frame, **options)
        run.metadata["table"] = table
        run.save(out)
    if show_kinds:
        print_kinds(run.preprocessor.kinds_)
    print_scores(run)
    say_where(shown or out)


def say_where(run: Path) -> None:
    say(f"The run is in {escape(run)}: model/, metrics.json, predictions.csv.")


def free_path(path: Path) -> Path:
    """The path, or the first of path-2, path-3, … that does not exist."""
    candidates = (path if n == 1 else path.with_name(f"{path.name}-{n}") for n in range(1, 10_000))
    return next(candidate for candidate in candidates if not candidate.exists())


def short_name(path: Path | None) -> str:
    """The name of a file or folder without endings and marks of patterns, for the folder of a run."""
    name = "" if path is None else path.name.split(".")[0]
    return "".join(c for c in name if c not in "*?[]").strip("-") or "table"

"""The commands for tables: columns, train, predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from tabrec.cli._chunks import (
    Memory,
    On,
    Workers,
    check_chunk_options,
    predict_in_chunks,
    train_in_chunks,
)
from tabrec.cli._completion import TABLE_MODELS, TASKS, run_of_train
from tabrec.cli._options import (
    Force,
    Seed,
    Table,
    Verbose,
    argument,
    choice,
    in_reading,
    new_rows,
    option,
    validation,
)
from tabrec.cli._printing import (
    escape,
    print_columns,
    print_kinds,
    print_leaderboard,
    print_scores,
    say,
    shows_stages,
    stage,
)
from tabrec.cli._reading import Reading, reads_tables

_Model = Annotated[
    str,
    choice(
        TABLE_MODELS,
        "MODEL",
        "forest, boosting, net, ensemble (of five kinds), or all: the best of the first three.",
    ),
]
_LogTarget = Annotated[bool, option("", "Learn the logarithm of the target.", True, "--log-target")]
_Task = Annotated[str, choice(TASKS, "TASK", "auto, regression or classification.")]
_DateFormat = Annotated[str | None, validation("FORMAT", "Format of the date column, such as %d/%m/%Y.")]
_Drop = Annotated[list[str] | None, in_reading("COLUMN", "Column to leave out; repeatable.")]
_Categorical = Annotated[list[str] | None, in_reading("COLUMN", "Column to read as labels; repeatable.")]
_Id = Annotated[
    str | None,
    new_rows("COLUMN", "Column to put before the predictions.", "the first of --sample, or row number", "--id"),
]
_Proba = Annotated[bool, new_rows("", "Predict the probability of each class.", True, "--proba")]
_Decimals = Annotated[int | None, new_rows("N", "Decimals of the predictions.", "all")]
_Sample = Annotated[
    Path | None, new_rows("CSV", "Sample submission: the predictions get its columns, and are checked by it.")
]


@reads_tables
def columns(
    reading: Reading,
    table: Table = None,
    target: Annotated[str | None, option("COLUMN", "Column to predict.", False)] = None,
    model: _Model = "forest",
    log_target: _LogTarget = False,
    task: _Task = "auto",
    time_column: Annotated[str | None, validation("COLUMN", "Date column that --date-format refers to.")] = None,
    date_format: _DateFormat = None,
    drop: _Drop = None,
    categorical: _Categorical = None,
) -> None:
    """Show how train treats each column, and why.

    Example:
      tabrec columns Train.csv --target SalePrice --model net

    Next: tabrec train Train.csv --target COLUMN.
    """
    frame = reading.read(table)
    print_columns(
        frame,
        target=target,
        model=model,
        log_target=log_target,
        task=task,
        time_column=time_column,
        date_format=date_format,
        drop=drop or (),
        categorical=categorical or (),
    )


@reads_tables
def train(
    target: Annotated[str, option("COLUMN", "Column to predict.", False)],
    reading: Reading,
    table: Table = None,
    model: _Model = "forest",
    out: Annotated[Path | None, option("FOLDER", "Folder to create for the run.", "runs/<table>-<model>")] = None,
    force: Annotated[bool, option("", "Replace the run in that folder.", True, "--force")] = False,
    log_target: _LogTarget = False,
    task: _Task = "auto",
    metric: Annotated[
        str | None, option("SCORER", "A scorer of scikit-learn, such as roc_auc.", "RMSE or log loss")
    ] = None,
    device: Annotated[str | None, option("DEVICE", "Device of nets, such as cpu or cuda.", "the best one")] = None,
    random_state: Seed = 0,
    verbose: Verbose = False,
    time_column: Annotated[
        str | None, validation("COLUMN", "Date column: the latest rows are held out.", "a random fifth is held out")
    ] = None,
    valid_from: Annotated[
        str | None, validation("DATE", "First date of the validation rows.", "the latest fifth")
    ] = None,
    date_format: _DateFormat = None,
    cv: Annotated[int | None, validation("K", "Score on K random folds of the other rows, too.")] = None,
    cv_time: Annotated[int | None, validation("K", "Score on K folds in the order of time, too.")] = None,
    refit: Annotated[
        bool,
        validation("", "Whether the saved model learns from all rows, after the scores.", True, "--refit/--no-refit"),
    ] = True,
    drop: _Drop = None,
    categorical: _Categorical = None,
    new: Annotated[
        Path | None, new_rows("TABLE", "Table to predict with the model, in <run>/submission.csv.", False, "--predict")
    ] = None,
    id_column: _Id = None,
    proba: _Proba = False,
    decimals: _Decimals = None,
    sample: _Sample = None,
    on: On = None,
    workers: Workers = None,
    memory: Memory = None,
) -> None:
    """Train a model on a table and score it on validation rows.

    Example:
      tabrec train Train.csv --target SalePrice --log-target \\
        --time-column saledate --valid-from 2011-01-01

    Next: tabrec predict for new rows, and tabrec explain for a report.
    """
    how: dict[str, Any] = {"id_column": id_column, "proba": proba, "decimals": decimals, "sample": sample}
    _check_new_rows(new, how)
    options: dict[str, Any] = {"model": model, "metric": metric, "refit": refit, "device": device}
    options["random_state"] = random_state
    columns: dict[str, Any] = {"target": target, "task": task, "log_target": log_target}
    columns |= {"drop": drop or (), "categorical": categorical or ()}
    of_memory: dict[str, Any] = {"--time-column": time_column, "--valid-from": valid_from, "--predict": new}
    of_memory |= {"--date-format": date_format, "--cv": cv, "--cv-time": cv_time}
    check_chunk_options(on, workers, memory, of_memory | reading.given())
    with stage("Starting"):
        from tabrec.runs.run import SUBMISSION_FILE, check_free_for_run
        from tabrec.runs.trained_table import check_is_there, describe_table

    reading.check(table)
    default = Path("runs") / f"{short_name(table)}-{model}"
    out = out or (default if force else free_path(default))
    check_free_for_run(out, overwrite=force)
    if on is not None:
        train_in_chunks(table, out, on, workers, memory, force, **options, **columns)
        return
    for file in (new, sample):
        check_is_there(file)
    frame = _with_target(reading.read(table), target)
    described = describe_table(table, reading.options)
    columns |= {"time_column": time_column, "date_format": date_format}
    rows = None if new is None else _read_new_rows(new, frame, described, columns, how)
    run = train_and_save(
        frame,
        out,
        described,
        overwrite=force,
        valid_from=valid_from,
        cv=cv,
        cv_time=cv_time,
        **options,
        **columns,
    )
    if rows is not None:
        _predict_to(run, rows, out / SUBMISSION_FILE, **how)


@reads_tables
def predict(
    run: Annotated[Path, argument("RUN", "Folder that train created.", autocompletion=run_of_train)],
    reading: Reading,
    table: Table = None,
    out: Annotated[Path, option("FILE", "CSV to write.", True, "--out", "-o")] = Path("predictions.csv"),
    force: Force = False,
    verbose: Verbose = False,
    id_column: _Id = None,
    proba: _Proba = False,
    decimals: _Decimals = None,
    sample: _Sample = None,
    on: On = None,
    workers: Workers = None,
    memory: Memory = None,
) -> None:
    """Predict every row of a table.

    Example:
      tabrec predict runs/Train-forest Valid.csv --id SalesID -o submission.csv

    Every row gets a prediction; a missing or unreadable column is an error.
    """
    with stage("Starting"):
        from tabrec.runs import TableRun
        from tabrec.saving.files import check_free_for_file

    check_chunk_options(on, workers, memory, {"--sample": sample, **reading.given()})
    check_free_for_file(out, overwrite=force)
    with stage(f"Loading {run}"):
        opened = TableRun.open(run)
    options: dict[str, Any] = {"id_column": id_column, "proba": proba, "decimals": decimals, "sample": sample}
    if on is not None:
        predict_in_chunks(opened, table, out, on, workers, memory, force, options)
        return
    frame = reading.read(table, opened.read_table)
    _predict_to(opened, frame, out, overwrite=force, **options)


def _with_target(frame: Any, target: str) -> Any:
    from tabrec.runs.table_target import rows_with_target

    known = rows_with_target(frame, target)
    if n := len(frame) - len(known):
        say(f"{n:,} row{'s' * (n > 1)} without a value of {escape(target)} left out.")
    return known


def _check_new_rows(new: Path | None, how: dict[str, Any]) -> None:
    """Raise a ValueError if options of predictions are given without new rows."""
    given = [f"{name}={value}" for name, value in how.items() if value not in (None, False)]
    if new is None and given:
        raise ValueError(f"{given[0]} requires new rows: name their table with --predict.")


def _read_new_rows(new: Path, frame: Any, table: dict, columns: dict[str, Any], how: dict[str, Any]) -> Any:
    """Read new rows and check them before training, as the model trained on `frame` will read them."""
    from tabrec.runs.rehearsal import rehearse

    rehearsal = rehearse(frame, table, **columns)
    rows = Reading({}).read(new, rehearsal.read_table)  # its file may have another format
    rehearsal.predict(rows, **how)
    return rows


def _predict_to(run: Any, frame: Any, out: Path, *, overwrite: bool = False, **options: Any) -> None:
    """Predict the rows of a frame, with options of `TableRun.predict`, and write a CSV."""
    from tabrec.saving.files import new_file

    with stage("Predicting"):
        predictions = run.predict(frame, **options)
    with new_file(out, overwrite=overwrite) as file:
        predictions.to_csv(file, index=False)
    say(f"{len(predictions):,} predictions of {escape(run.metadata['target'])} are in {escape(out)}.")


def train_and_save(
    frame: Any,
    out: Path,
    table: dict,
    *,
    shown: Path | None = None,
    show_kinds: bool = True,
    overwrite: bool = False,
    **options: Any,
) -> Any:
    """Train with `options`, save the run to `out` and print its scores; `out` will be moved to `shown`."""
    from tabrec.runs import train

    with stage(f"Training on {len(frame):,} rows"):
        run = train(frame, verbose=shows_stages(), **options)
        run.metadata["table"] = table
        run.predictions["row"] = frame.index.to_numpy()[run.predictions["row"]]  # of the file
        run.save(out, overwrite=overwrite)
    if show_kinds:
        print_kinds(run.preprocessor.kinds_)
    if run.leaderboard is not None:
        print_leaderboard(run)
    print_scores(run)
    say_where(shown or out)
    return run


def say_where(run: Path) -> None:
    say(f"The run is in {escape(run)}: model/, metrics.json, predictions.csv.")


def free_path(path: Path) -> Path:
    """Return the path, or the first of path-2, path-3, … that does not exist."""
    candidates = (path if n == 1 else path.with_name(f"{path.name}-{n}") for n in range(1, 10_000))
    return next(candidate for candidate in candidates if not candidate.exists())


def short_name(path: Path | None) -> str:
    """Return the stem of a file or folder name, without wildcards, as the name of a run."""
    name = "" if path is None else path.name.split(".")[0]
    return "".join(c for c in name if c not in "*?[]").strip("-") or "table"

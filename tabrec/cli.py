"""The command line: parses, calls, prints."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import tabrec

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Models from raw tables, with honest validation.",
)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

_Delimiter = Annotated[str, typer.Option(help="What separates the fields of a CSV.")]
_Table = Annotated[Path, typer.Argument(help="A CSV or parquet file.", show_default=False)]

_METRIC_NAMES = {"rmse": "RMSE", "r2": "R²", "accuracy": "accuracy", "log_loss": "log loss", "auc": "AUC"}
_ROW_NAMES = {"train": "training", "oob": "out-of-bag", "validation": "validation", "baseline": "baseline, validation"}


def main() -> None:
    """Run the command line: a user's mistake is one line and exit code 2, never a traceback."""
    warnings.showwarning = _print_warning
    try:
        app()
    except (ValueError, TypeError, OSError) as error:
        errors.print(f"[bold red]error:[/] {_one_line(error)}", soft_wrap=True)
        sys.exit(2)


def _one_line(error: BaseException) -> str:
    from rich.markup import escape

    return escape(" ".join(str(error).split()) or type(error).__name__)


def _print_warning(message: Any, *_: Any, **__: Any) -> None:
    errors.print(f"[yellow]warning:[/] {_one_line(message)}", soft_wrap=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        console.print(f"tabrec {tabrec.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def columns(
    table: _Table,
    max_card: Annotated[int, typer.Option(help="Whole numbers of at most so many values are categories.")] = 20,
    delimiter: _Delimiter = ",",
) -> None:
    """Show what kind of column each one is.

    Example: tabrec columns Train.csv
    """
    from tabrec.datasets import read_table

    _print_columns(read_table(table, delimiter=delimiter), max_card)


@app.command()
def train(
    table: _Table,
    target: Annotated[str, typer.Option(help="Column to predict.", show_default=False)],
    model: Annotated[str, typer.Option(help="forest, boosting, net, or ensemble (forest and net).")] = "forest",
    out: Annotated[
        Path | None, typer.Option(help="Folder to make for the run.", show_default="runs/<table>-<model>")
    ] = None,
    log_target: Annotated[bool, typer.Option("--log-target", help="Learn the logarithm of the target.")] = False,
    time_column: Annotated[
        str | None, typer.Option(help="Date column: the latest rows validate.", show_default="a random fifth validates")
    ] = None,
    valid_from: Annotated[
        str | None, typer.Option(help="First date of the validation rows.", show_default="the latest fifth")
    ] = None,
    date_format: Annotated[str | None, typer.Option(help="Format of the date column, such as %d/%m/%Y.")] = None,
    task: Annotated[str, typer.Option(help="regression or classification.")] = "auto",
    drop: Annotated[list[str] | None, typer.Option(help="Column to leave out; may be repeated.")] = None,
    categorical: Annotated[list[str] | None, typer.Option(help="Column to take as labels; may be repeated.")] = None,
    delimiter: _Delimiter = ",",
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
) -> None:
    """Train a model on a table and score it on rows held out.

    Example: tabrec train Train.csv --target SalePrice --log-target --time-column saledate --valid-from 2011-01-01
    """
    from tabrec._files import check_free
    from tabrec.datasets import read_table

    out = out or _free_path(Path("runs") / f"{table.stem}-{model}")
    check_free(out)
    with console.status(f"Reading {table}"):
        frame = read_table(table, delimiter=delimiter)
    _train(
        frame,
        out,
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


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="Folder that train made.", show_default=False)],
    table: _Table,
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV to write.")] = Path("predictions.csv"),
    id_column: Annotated[
        str | None, typer.Option("--id", help="Column to put before the predictions.", show_default="row number")
    ] = None,
    delimiter: _Delimiter = ",",
) -> None:
    """Predict every row of a table.

    Example: tabrec predict runs/Train-forest Valid.csv --id SalesID -o submission.csv
    """
    from tabrec._files import check_free, new_file
    from tabrec.datasets import read_table
    from tabrec.run import predict_table, read_metadata

    check_free(out)
    metadata = read_metadata(run)
    with console.status(f"Predicting {table}"):
        frame = read_table(table, delimiter=delimiter, text_columns=metadata["text_columns"])
        predictions = predict_table(run, frame, id_column=id_column)
    with new_file(out) as file:
        predictions.to_csv(file, index=False)
    console.print(f"{len(predictions):,} predictions of {metadata['target']} are in {out}.")


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="Folder to make.", show_default="runs/demo")] = None,
    rows: Annotated[int, typer.Option(help="Rows of the made table.", min=1000)] = 10_000,
) -> None:
    """Make a table of auctions, train a forest and a boosting on it, and price new rows."""
    from tabrec._files import new_folder
    from tabrec.datasets import make_auctions
    from tabrec.run import predict_table

    out = out or _free_path(Path("runs") / "demo")
    auctions = make_auctions(rows, random_state=0)
    is_new = auctions["saledate"] >= "2012-01-01"
    known, new = auctions[~is_new], auctions[is_new].drop(columns="SalePrice")
    console.print(
        f"{rows:,} made auctions of construction machines (no real ones), like Kaggle's Blue Book for Bulldozers.\n"
        f"{len(known):,} were sold before 2012 and have a price; the {len(new):,} sold later are to be priced.\n"
    )
    with new_folder(out) as folder:
        known.to_csv(folder / "auctions.csv", index=False)
        new.to_csv(folder / "new.csv", index=False)
        _print_columns(known, 20, most=12)
        options = {"target": "SalePrice", "log_target": True, "time_column": "saledate", "valid_from": "2011-01-01"}
        for model in ("forest", "boosting", "net"):
            _train(known, folder / model, shown=out / model, print_kinds=model == "forest", model=model, **options)
        predictions = predict_table(folder / "boosting", new, id_column="SalesID")
        predictions.to_csv(folder / "submission.csv", index=False)
    console.print(
        f"\nThe boosting priced the {len(new):,} new machines: {out / 'submission.csv'}.\n"
        f"The same by hand, with a CSV of yours in the place of {out / 'auctions.csv'}:\n\n"
        f"  tabrec train {out / 'auctions.csv'} --target SalePrice --log-target --time-column saledate "
        f"--valid-from 2011-01-01 --model boosting --out runs/mine\n"
        f"  tabrec predict runs/mine {out / 'new.csv'} --id SalesID -o submission.csv",
        soft_wrap=True,
    )


def _train(frame: Any, out: Path, *, shown: Path | None = None, print_kinds: bool = True, **options: Any) -> None:
    from tabrec.run import find_preprocessor, save_run, train

    with console.status(f"Training a {options['model']} on {len(frame):,} rows"):
        run = train(frame, **options)
        save_run(run, out)
    if print_kinds:
        _print_kinds(find_preprocessor(run.model).kinds_)
    _print_scores(run)
    console.print(f"The run is in {shown or out}: model/, metrics.json, predictions.csv.", soft_wrap=True)


def _print_columns(frame: Any, max_card: int, most: int | None = None) -> None:
    from tabrec import column_kinds

    kinds = column_kinds(frame, max_card=max_card)
    console.print(f"{len(frame):,} rows, {len(kinds)} columns")
    table = Table()
    table.add_column("column", overflow="fold")
    table.add_column("kind", no_wrap=True)
    table.add_column("distinct", justify="right", no_wrap=True)
    table.add_column("missing", justify="right", no_wrap=True)
    table.add_column("example", overflow="fold")
    for name, row in kinds.head(most or len(kinds)).iterrows():
        example = "" if row["example"] is None else str(row["example"])[:40]
        table.add_row(str(name), row["kind"], f"{row['n_unique']:,}", f"{row['missing']:.1%}", example)
    if most is not None and most < len(kinds):
        table.add_row(f"… {len(kinds) - most} more", "", "", "", "")
    console.print(table)


def _print_kinds(kinds: dict[str, str]) -> None:
    for kind in ("date", "categorical", "continuous", "dropped"):
        names = [name for name, of_kind in kinds.items() if of_kind == kind]
        if names:
            listed = ", ".join(names[:6]) + (f", … ({len(names)} in all)" if len(names) > 6 else "")
            console.print(f"[bold]{kind:<12}[/]{listed}")


def _print_scores(run: Any) -> None:
    metadata = run.metadata
    metrics = list(run.metrics["validation"])
    rows = metadata["rows"]
    console.print(
        f"[bold]{metadata['model']:<12}[/]{'log of ' if metadata['log_target'] else ''}{metadata['target']}, fitted in "
        f"{metadata['fit_seconds']:.1f} s on {rows['train']:,} rows, validated on {rows['validation']:,}"
    )
    table = Table()
    table.add_column("rows")
    for name in metrics:
        table.add_column(_METRIC_NAMES[name], justify="right")
    for split, scores in run.metrics.items():
        style = "bold" if split == "validation" else None
        values = [f"{scores[name]:.4f}" if name in scores else "–" for name in metrics]
        table.add_row(_ROW_NAMES[split], *values, style=style)
    console.print(table)


def _free_path(path: Path) -> Path:
    """The path, or the first of path-2, path-3, … that is free."""
    candidates = (path if n == 1 else path.with_name(f"{path.name}-{n}") for n in range(1, 10_000))
    return next(candidate for candidate in candidates if not candidate.exists())

"""The command line: parses, calls, prints."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

import tabrec
from tabrec._printing import (
    console,
    errors,
    escape,
    one_line,
    print_columns,
    print_findings,
    print_kinds,
    print_ranked,
    print_rating_scores,
    print_scores,
    print_warning,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Models from raw tables and ratings, with honest validation.",
)
_SHOWN_FINDINGS = 6  # in the demo, the first ones
_Delimiter = Annotated[str, typer.Option(help="What separates the fields of a CSV.")]
_Table = Annotated[Path, typer.Argument(help="A CSV or parquet file.", show_default=False)]


def main() -> None:
    """Run the command line: a user's mistake is one line and exit code 2, never a traceback."""
    warnings.showwarning = print_warning
    try:
        app()
    except (ValueError, TypeError, OSError) as error:
        errors.print(f"[bold red]error:[/] {one_line(error)}", soft_wrap=True)
        sys.exit(2)


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

    print_columns(read_table(table, delimiter=delimiter), max_card)


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
    from tabrec.explain_run import describe_table

    out = out or _free_path(Path("runs") / f"{table.stem}-{model}")
    check_free(out)
    with console.status(f"Reading {table}"):
        frame = read_table(table, delimiter=delimiter)
    _train(
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
def explain(
    run: Annotated[Path, typer.Argument(help="Folder that train or rate made.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="HTML page to write.", show_default="<run>/report.html")
    ] = None,
    new: Annotated[
        Path | None,
        typer.Option(help="Table of the newest rows, to compare with.", show_default="the validation rows"),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="The table of the run, if it has moved.", show_default="where it was")
    ] = None,
) -> None:
    """Explain a run on one page: importance, effects, reasons, confidence, shift, and what to do about them.

    Example: tabrec explain runs/Train-forest --new Valid.csv
    """
    from tabrec._files import check_free
    from tabrec.explain_run import explain_run

    out = out or run / "report.html"
    check_free(out)
    page = explain_run(run, table=table, new=new, verbose=console.is_terminal)
    page.save(out)
    print_findings(page.findings)
    console.print(f"The report is in {out}: open it in a browser.", soft_wrap=True)


_Run = Annotated[Path, typer.Argument(help="Folder that rate made.", show_default=False)]
_Ids = Annotated[list[str] | None, typer.Option(help="Id of a user; may be repeated.", show_default="all, with --out")]


@app.command()
def rate(
    ratings: Annotated[
        Path, typer.Argument(help="A CSV or parquet file, or a MovieLens folder or zip.", show_default=False)
    ],
    user: Annotated[str | None, typer.Option(help="Column of the users.", show_default="the first")] = None,
    item: Annotated[str | None, typer.Option(help="Column of the items.", show_default="the second")] = None,
    rating: Annotated[str | None, typer.Option(help="Column of the ratings.", show_default="the third")] = None,
    model: Annotated[
        str, typer.Option(help="dot (factors, a net), nn (embeddings and layers) or bayes (factors, sampled).")
    ] = "bayes",
    time_column: Annotated[
        str | None,
        typer.Option(help="Time column: the latest ratings validate.", show_default="a random fifth validates"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to make for the run.", show_default="runs/<ratings>-<model>")
    ] = None,
    delimiter: _Delimiter = ",",
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
) -> None:
    """Train a recommender on ratings, score it on ratings held out, and keep it fitted to all of them.

    Example: tabrec rate ratings.csv --user user --item title --rating rating --out runs/ml
    """
    from tabrec._files import check_free
    from tabrec.rating_run import check_model, read_ratings

    check_model(model)
    out = out or _free_path(Path("runs") / f"{ratings.stem}-{model}")
    check_free(out)
    with console.status(f"Reading {ratings}"):
        frame, tables = read_ratings(ratings, delimiter=delimiter)
    options = {"user": user, "item": item, "rating": rating, "time_column": time_column, "model": model, **tables}
    _rate(frame, out, None, random_state=random_state, **options)


@app.command()
def recommend(
    run: _Run,
    user: _Ids = None,
    n: Annotated[int, typer.Option("-n", help="How many items for each.", min=1)] = 10,
    seen: Annotated[bool, typer.Option("--seen", help="Recommend what has been rated, too.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="CSV to write.", show_default="the terminal")] = None,
) -> None:
    """Show what users are predicted to rate highest.

    Example: tabrec recommend runs/ml --user 196 -n 10
    """
    from tabrec._files import check_free, new_file
    from tabrec.rating_run import load_recommender, parse_ids, unknown_users

    if user is None and out is None:
        raise ValueError("Name a user, as in --user 196, or a file for everybody's, as in --out top.csv.")
    if out is not None:
        check_free(out)
    with console.status(f"Loading {run}"):
        model = load_recommender(run)
    users = model.users_ if user is None else parse_ids(list(dict.fromkeys(user)), model.users_)
    recommended = model.recommend(users, n, exclude_seen=not seen)
    if out is not None:
        with new_file(out) as file:
            recommended.to_csv(file, index=False)
        console.print(f"{len(recommended):,} recommendations for {recommended['user'].nunique():,} users are in {out}.")
        return
    unknown = unknown_users(model, users)
    for name in users:
        rows = recommended[recommended["user"] == name]
        note = ", who is unknown: what everybody is recommended" if name in unknown else ""
        note = note if len(rows) else ": nothing is left to recommend"
        console.print(f"{model.user_name_} [bold]{escape(name)}[/]{note}")
        if len(rows):
            print_ranked(rows, model.item_name_, "item", "score", "predicted")


@app.command()
def similar(
    run: _Run,
    item: Annotated[str, typer.Argument(help="Id of an item.", show_default=False)],
    n: Annotated[int, typer.Option("-n", help="How many.", min=1)] = 10,
) -> None:
    """Show the items that are liked by the same people.

    Example: tabrec similar runs/ml "Silence of the Lambs, The (1991)"
    """
    from tabrec.rating_run import load_recommender, parse_ids

    with console.status(f"Loading {run}"):
        model = load_recommender(run)
    found = model.similar_items(parse_ids([item], model.items_), n)
    print_ranked(found, model.item_name_, "similar", "similarity", "similarity")


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="Folder to make.", show_default="runs/demo")] = None,
    rows: Annotated[int, typer.Option(help="Rows of the made table.", min=1000)] = 10_000,
) -> None:
    """Make a table of auctions and a list of ratings, train models on both, price new rows and recommend items."""
    from tabrec._files import new_folder
    from tabrec.datasets import make_auctions
    from tabrec.explain_run import describe_table, explain_run
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
        print_columns(known, 20, most=12)
        options: dict[str, Any] = {"target": "SalePrice", "log_target": True}
        options |= {"time_column": "saledate", "valid_from": "2011-01-01"}
        table = describe_table(folder / "auctions.csv", ",", kept_at=out / "auctions.csv")
        for model in ("forest", "boosting", "net"):
            options |= {"model": model, "show_kinds": model == "forest"}
            _train(known, folder / model, table, shown=out / model, **options)
        predictions = predict_table(folder / "boosting", new, id_column="SalesID")
        predictions.to_csv(folder / "submission.csv", index=False)
        with console.status("Explaining the forest"):
            page = explain_run(folder / "forest", table=folder / "auctions.csv", new=folder / "new.csv")
            page.save(folder / "report.html")
        console.print("\nWhat to know of the forest:")
        print_findings(page.findings[:_SHOWN_FINDINGS])
        shown_user = _demo_ratings(folder, out)
    console.print(
        f"\nThe boosting priced the {len(new):,} new machines: {out / 'submission.csv'}.\n"
        f"The same by hand, with a CSV of yours in the place of {out / 'auctions.csv'}:\n\n"
        f"  tabrec train {out / 'auctions.csv'} --target SalePrice --log-target --time-column saledate "
        f"--valid-from 2011-01-01 --model boosting --out runs/mine\n"
        f"  tabrec predict runs/mine {out / 'new.csv'} --id SalesID -o submission.csv\n"
        f"  tabrec explain runs/mine --new {out / 'new.csv'}\n"
        f"  tabrec rate {out / 'ratings.csv'} --user user --item item --rating rating --model bayes --out runs/ml\n"
        f"  tabrec recommend runs/ml --user {shown_user} -n 10\n\n"
        f"Now open {out / 'report.html'} in a browser: it explains the forest.",
        soft_wrap=True,
    )


def _demo_ratings(folder: Path, shown: Path) -> int:
    """The ratings half of the demo; returns the user it recommends to."""
    from tabrec.datasets import make_ratings

    ratings = make_ratings(30_000, random_state=0)
    ratings.to_csv(folder / "ratings.csv", index=False)
    console.print(f"\n{len(ratings):,} made ratings (no real ones), like MovieLens.")
    for name in ("dot", "bayes"):
        model = _rate(ratings, folder / name, shown / name, model=name)
    user = int(ratings["user"].iloc[0])
    console.print(f"\nWhat the last model recommends to user {user}:")
    print_ranked(model.recommend(user, 5), "item", "item", "score", "predicted")
    return user


def _rate(frame: Any, out: Path, shown: Path | None, **options: Any) -> Any:
    from tabrec.rating_run import rate, save_rating_run

    with console.status(f"Training a recommender on {len(frame):,} ratings"):
        run = rate(frame, **options)
        save_rating_run(run, out)
    print_rating_scores(run)
    console.print(f"The run is in {shown or out}: model/, metrics.json, predictions.csv.", soft_wrap=True)
    return run.model


def _train(
    frame: Any, out: Path, table: dict, *, shown: Path | None = None, show_kinds: bool = True, **options: Any
) -> None:
    from tabrec.run import find_preprocessor, save_run, train

    with console.status(f"Training a {options['model']} on {len(frame):,} rows"):
        run = train(frame, **options)
        run.metadata["table"] = table
        save_run(run, out)
    if show_kinds:
        print_kinds(find_preprocessor(run.model).kinds_)
    print_scores(run)
    console.print(f"The run is in {shown or out}: model/, metrics.json, predictions.csv.", soft_wrap=True)


def _free_path(path: Path) -> Path:
    """The path, or the first of path-2, path-3, … that is free."""
    candidates = (path if n == 1 else path.with_name(f"{path.name}-{n}") for n in range(1, 10_000))
    return next(candidate for candidate in candidates if not candidate.exists())

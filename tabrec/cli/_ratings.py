"""The commands for ratings: rate, recommend, similar."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tabrec.cli._completion import RATING_MODELS, one_of, run_of_rate
from tabrec.cli._options import READING, VALIDATION, Count, Delimiter, Seed
from tabrec.cli._printing import console, escape, print_ranked, print_rating_scores, say, stage
from tabrec.cli._tables import free_path, say_where

_Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder that rate made.", show_default=False, autocompletion=run_of_rate)
]


def _column(what: str, default: str) -> Any:
    return typer.Option(metavar="COLUMN", help=f"Column of the {what}.", show_default=default, rich_help_panel=READING)


def rate(
    ratings: Annotated[
        Path,
        typer.Argument(
            metavar="RATINGS", help="A CSV or parquet file, or a MovieLens folder or zip.", show_default=False
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="dot (factors, a net), nn (embeddings and layers) or bayes (factors, sampled).",
            autocompletion=one_of(RATING_MODELS),
        ),
    ] = "bayes",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder to make for the run.", show_default="runs/<ratings>-<model>"),
    ] = None,
    random_state: Seed = 0,
    time_column: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Time column: the latest ratings validate.",
            show_default="a random fifth validates",
            rich_help_panel=VALIDATION,
        ),
    ] = None,
    user: Annotated[str | None, _column("users", "the first")] = None,
    item: Annotated[str | None, _column("items", "the second")] = None,
    rating: Annotated[str | None, _column("ratings", "the third")] = None,
    delimiter: Delimiter = ",",
) -> None:
    """Train a recommender on ratings, score it on ratings held out, and keep it fitted to all of them.

    Example:
      tabrec rate ratings.csv --user user --item title --rating rating \\
        --out runs/ml

    Next: tabrec recommend, tabrec similar and tabrec explain.
    """
    from tabrec.runs.rating_run import check_model, read_ratings
    from tabrec.saving.files import check_free

    check_model(model)
    out = out or free_path(Path("runs") / f"{ratings.stem}-{model}")
    check_free(out)
    with stage(f"Reading {ratings}"):
        frame, tables = read_ratings(ratings, delimiter=delimiter)
    options: dict[str, Any] = {
        "user": user,
        "item": item,
        "rating": rating,
        "time_column": time_column,
        "model": model,
        **tables,
    }
    rate_and_save(frame, out, random_state=random_state, **options)


def recommend(
    run: _Run,
    user: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Id of a user; may be repeated.", show_default="all, with --out"),
    ] = None,
    n: Count = 10,
    seen: Annotated[bool, typer.Option("--seen", help="Recommend what has been rated, too.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="CSV to write.", show_default="the terminal")
    ] = None,
) -> None:
    """Show what users are predicted to rate highest.

    Example:
      tabrec recommend runs/ml --user 196 -n 10

    Everybody's, into a file: tabrec recommend runs/ml --out top.csv.
    """
    from tabrec.runs.rating_run import load_recommender, parse_ids
    from tabrec.saving.files import check_free, new_file

    if user is None and out is None:
        raise ValueError("Name a user, as in --user 196, or a file for everybody's, as in --out top.csv.")
    if out is not None:
        check_free(out)
    with stage(f"Loading {run}"):
        model = load_recommender(run)
    users = model.users_ if user is None else parse_ids(list(dict.fromkeys(user)), model.users_)
    recommended = model.recommend(users, n, exclude_seen=not seen)
    if out is None:
        _print_recommended(model, users, recommended)
        return
    with new_file(out) as file:
        recommended.to_csv(file, index=False)
    n_users = recommended["user"].nunique()
    say(f"{len(recommended):,} recommendations for {n_users:,} users are in {escape(out)}.")


def similar(
    run: _Run,
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Id of an item.", show_default=False)],
    n: Count = 10,
) -> None:
    """Show the items that are liked by the same people.

    Example:
      tabrec similar runs/ml "Silence of the Lambs, The (1991)"

    An item that is not known is answered by the names nearest to it.
    """
    from tabrec.runs.rating_run import load_recommender, parse_ids

    with stage(f"Loading {run}"):
        model = load_recommender(run)
    found = model.similar_items(parse_ids([item], model.items_), n)
    print_ranked(found, model.item_name_, "similar", "similarity", "similarity")


def rate_and_save(frame: Any, out: Path, *, shown: Path | None = None, **options: Any) -> Any:
    """Train by `options`, save to `out`, which will be at `shown`, and print the scores; returns the recommender."""
    from tabrec.runs.rating_run import rate, save_rating_run

    with stage(f"Training a recommender on {len(frame):,} ratings"):
        run = rate(frame, **options)
        save_rating_run(run, out)
    print_rating_scores(run)
    say_where(shown or out)
    return run.model


def _print_recommended(model: Any, users: Any, recommended: Any) -> None:
    from tabrec.runs.rating_run import unknown_users

    unknown = unknown_users(model, users)
    for name in users:
        rows = recommended[recommended["user"] == name]
        note = ", who is unknown: what everybody is recommended" if name in unknown else ""
        note = note if len(rows) else ": nothing is left to recommend"
        console.print(f"{escape(model.user_name_)} [bold]{escape(name)}[/]{note}")
        if len(rows):
            print_ranked(rows, model.item_name_, "item", "score", "predicted")

"""The commands for ratings: rate, recommend, similar."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from tabrec.cli._completion import RATING_MODELS, run_of_rate
from tabrec.cli._options import Count, Force, Seed, argument, choice, in_reading, option, validation
from tabrec.cli._printing import console, escape, print_ranked, print_rating_scores, say, stage
from tabrec.cli._reading import Reading, reads_tables
from tabrec.cli._tables import free_path, say_where, short_name

_Run = Annotated[Path, argument("RUN", "Folder that rate created.", autocompletion=run_of_rate)]


@reads_tables
def rate(
    reading: Reading,
    ratings: Annotated[Path | None, argument("RATINGS", "A file as for train, or a MovieLens folder or zip.")] = None,
    model: Annotated[
        str,
        choice(RATING_MODELS, "MODEL", "dot (factors, a net), nn (embeddings and layers) or bayes (factors, sampled)."),
    ] = "bayes",
    out: Annotated[Path | None, option("FOLDER", "Folder to create for the run.", "runs/<ratings>-<model>")] = None,
    force: Annotated[bool, option("", "Replace the run in that folder.", True, "--force")] = False,
    random_state: Seed = 0,
    time_column: Annotated[
        str | None, validation("COLUMN", "Time column: the latest ratings are held out.", "a random fifth is held out")
    ] = None,
    user: Annotated[str | None, in_reading("COLUMN", "Column of the users.", "found by its name or content")] = None,
    item: Annotated[str | None, in_reading("COLUMN", "Column of the items.", "found by its name or content")] = None,
    rating: Annotated[
        str | None, in_reading("COLUMN", "Column of the ratings.", "found by its name or content")
    ] = None,
) -> None:
    """Train a recommender, score it on ratings held out, and fit it to all of them.

    Example:
      tabrec rate ratings.csv --user user --item title --rating rating \\
        --out runs/ml

    Next: tabrec recommend, tabrec similar and tabrec explain.
    """
    with stage("Starting"):
        from tabrec.collab.rating_columns import find_rating_columns
        from tabrec.runs import read_ratings
        from tabrec.runs.run import check_free_for_run

    reading.check(ratings)
    default = Path("runs") / f"{short_name(ratings)}-{model}"
    out = out or (default if force else free_path(default))
    check_free_for_run(out, overwrite=force)
    tables: dict[str, Any] = {}

    def read(path: Path, **options: Any) -> Any:
        frame, side_tables = read_ratings(path, user=user, item=item, **options)
        tables.update(side_tables)
        return frame

    frame = reading.read(ratings, read)
    times = [] if time_column is None else [time_column]
    columns = find_rating_columns(frame, user=user, item=item, rating=rating, others=times)
    say(f"Columns: {escape(columns)}.")
    options: dict[str, Any] = {**columns._asdict(), "time_column": time_column, **tables}
    rate_and_save(frame, out, overwrite=force, model=model, random_state=random_state, **options)


def recommend(
    run: _Run,
    user: Annotated[list[str] | None, option("ID", "Id of a user; repeatable.", "all, with --out")] = None,
    n: Count = 10,
    seen: Annotated[bool, option("", "Include items that the user has rated.", True, "--seen")] = False,
    out: Annotated[Path | None, option("FILE", "CSV to write.", "the terminal", "--out", "-o")] = None,
    force: Force = False,
) -> None:
    """Show the items with the highest predicted ratings.

    Example:
      tabrec recommend runs/ml --user 196 -n 10

    For all users, to a file: tabrec recommend runs/ml --out top.csv.
    """
    from tabrec.runs import RatingRun
    from tabrec.runs.rating_run import parse_ids
    from tabrec.saving.files import check_free_for_file, new_file

    if user is None and out is None:
        raise ValueError("Name a user, as in --user 196, or a file for all users, as in --out top.csv.")
    if out is not None:
        check_free_for_file(out, overwrite=force)
    with stage(f"Loading {run}"):
        opened = RatingRun.open(run)
    users = None if user is None else parse_ids(list(dict.fromkeys(user)), opened.model.users_)
    recommended = opened.recommend(users, n, exclude_seen=not seen)
    if out is None:
        _print_recommended(opened, users, recommended)
        return
    with new_file(out, overwrite=force) as file:
        recommended.to_csv(file, index=False)
    n_users = recommended["user"].nunique()
    say(f"{len(recommended):,} recommendations for {n_users:,} users are in {escape(out)}.")


def similar(run: _Run, item: Annotated[str, argument("ITEM", "Id of an item.")], n: Count = 10) -> None:
    """Show the items that the same users like.

    Example:
      tabrec similar runs/ml "Silence of the Lambs, The (1991)"

    For an unknown item, the error names the closest known ones.
    """
    from tabrec.runs import RatingRun
    from tabrec.runs.rating_run import parse_ids

    with stage(f"Loading {run}"):
        model = RatingRun.open(run).model
    found = model.similar_items(parse_ids([item], model.items_), n)
    print_ranked(found, model.item_name_, "similar", "similarity", "similarity")


def rate_and_save(frame: Any, out: Path, *, shown: Path | None = None, overwrite: bool = False, **options: Any) -> Any:
    """Train with `options`, save to `out`, which will move to `shown`, and print the scores; returns the run."""
    from tabrec.runs import rate

    with stage(f"Training a recommender on {len(frame):,} ratings"):
        run = rate(frame, **options)
        run.save(out, overwrite=overwrite)
    print_rating_scores(run)
    say_where(shown or out)
    return run


def _print_recommended(run: Any, users: Any, recommended: Any) -> None:
    unknown = run.unknown_users(users)
    for name in users:
        rows = recommended[recommended["user"] == name]
        note = " (unknown; shows the recommendations for any new user)" if name in unknown else ""
        note = note if len(rows) else ": no items left to recommend"
        console.print(f"{escape(run.model.user_name_)} [bold]{escape(name)}[/]{note}")
        if len(rows):
            print_ranked(rows, run.model.item_name_, "item", "score", "predicted")

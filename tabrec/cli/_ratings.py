"""The command for ratings: rate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from tabrec.cli._completion import RATING_MODELS
from tabrec.cli._options import Seed, argument, choice, in_reading, option, validation
from tabrec.cli._printing import escape, print_rating_scores, say, stage
from tabrec.cli._reading import Reading, reads_tables
from tabrec.cli._tables import free_path, say_where, short_name


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
        from tabrec.collab.rating_columns import find_rating_columns, find_time_column
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
    time = find_time_column(frame.drop(columns=list(columns))) if time_column is None else None
    if time is not None:
        say(f"A random fifth is held out, although {escape(repr(time))} has times: --time-column holds out the latest.")
    options: dict[str, Any] = {**columns._asdict(), "time_column": time_column, **tables}
    rate_and_save(frame, out, overwrite=force, model=model, random_state=random_state, **options)


def rate_and_save(frame: Any, out: Path, *, shown: Path | None = None, overwrite: bool = False, **options: Any) -> Any:
    """Train with `options`, save the run to `out` and print its scores; `out` will be moved to `shown`."""
    from tabrec.runs import rate

    with stage(f"Training a recommender on {len(frame):,} ratings"):
        run = rate(frame, **options)
        run.save(out, overwrite=overwrite)
    print_rating_scores(run)
    say_where(shown or out)
    return run

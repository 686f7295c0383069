"""The command for interactions: rank."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from tabrec.cli._completion import RANKING_MODELS
from tabrec.cli._options import Seed, argument, choice, in_reading, option
from tabrec.cli._printing import escape, print_ranking_scores, say, stage
from tabrec.cli._reading import Reading, reads_tables
from tabrec.cli._tables import free_path, say_where, short_name


@reads_tables
def rank(
    reading: Reading,
    interactions: Annotated[
        Path | None, argument("INTERACTIONS", "A file as for train, or a MovieLens folder or zip.")
    ] = None,
    model: Annotated[
        str,
        choice(
            RANKING_MODELS,
            "MODEL",
            "ease, als, bpr, knn, blend (ease and als), two-stage (ranked by a model), popular, or all (the best).",
        ),
    ] = "ease",
    out: Annotated[
        Path | None, option("FOLDER", "Folder to create for the run.", "runs/<interactions>-<model>")
    ] = None,
    force: Annotated[bool, option("", "Replace the run in that folder.", True, "--force")] = False,
    random_state: Seed = 0,
    user: Annotated[str | None, in_reading("COLUMN", "Column of the users.", "found by its name")] = None,
    item: Annotated[str | None, in_reading("COLUMN", "Column of the items.", "found by its name")] = None,
    time_column: Annotated[
        str | None, in_reading("COLUMN", "Column of the times: the latest fifth is held out.", "found by its name")
    ] = None,
    strength: Annotated[
        str | None, in_reading("COLUMN", "Column of counts, durations or ratings.", "found by its name")
    ] = None,
    baskets: Annotated[bool, option("", "Each line is a basket of items.", True, "--baskets")] = False,
) -> None:
    """Train a recommender on interactions, score it beside popularity, and fit it to all interactions.

    Example:
      tabrec rank clicks.csv --user user --item item --time-column timestamp \\
        --model all --out runs/clicks

    Next: tabrec recommend, tabrec similar and tabrec explain.
    """
    with stage("Starting"):
        from tabrec.collab.rating_columns import find_interaction_columns
        from tabrec.runs import read_interactions
        from tabrec.runs.run import check_free_for_run

    reading.check(interactions)
    default = Path("runs") / f"{short_name(interactions)}-{model}"
    out = out or (default if force else free_path(default))
    check_free_for_run(out, overwrite=force)
    tables: dict[str, Any] = {}

    def read(path: Path, **options: Any) -> Any:
        frame, side_tables = read_interactions(path, user=user, item=item, baskets=baskets, **options)
        tables.update(side_tables)
        return frame

    frame = reading.read(interactions, read)
    columns = find_interaction_columns(frame, user=user, item=item, strength=strength, time=time_column)
    say(f"Columns: {escape(columns)}.")
    names = {"user": columns.user, "item": columns.item, "time_column": columns.time, "strength": columns.strength}
    options: dict[str, Any] = {**names, **tables}
    rank_and_save(frame, out, overwrite=force, model=model, random_state=random_state, **options)


def rank_and_save(frame: Any, out: Path, *, shown: Path | None = None, overwrite: bool = False, **options: Any) -> Any:
    """Train with `options`, save the run to `out` and print its scores; `out` will be moved to `shown`."""
    from tabrec.runs import rank

    with stage(f"Training a recommender on {len(frame):,} interactions"):
        run = rank(frame, **options)
        run.save(out, overwrite=overwrite)
    print_ranking_scores(run)
    say_where(shown or out)
    return run

"""The commands for runs of recommenders: recommend, similar."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from tabrec.cli._completion import run_of_recommender
from tabrec.cli._options import Count, Force, argument, option
from tabrec.cli._printing import console, escape, print_ranked, say, stage

_Run = Annotated[Path, argument("RUN", "Folder that rate or rank created.", autocompletion=run_of_recommender)]


def recommend(
    run: _Run,
    user: Annotated[list[str] | None, option("ID", "Id of a user; repeatable.", "all, with --out")] = None,
    n: Count = 10,
    seen: Annotated[bool, option("", "Include items that the user has rated or taken.", True, "--seen")] = False,
    out: Annotated[Path | None, option("FILE", "CSV to write.", "the terminal", "--out", "-o")] = None,
    force: Force = False,
) -> None:
    """Show the best items for users: the highest predicted ratings, or ranking scores.

    Example:
      tabrec recommend runs/ml --user 196 -n 10

    For all users, to a file: tabrec recommend runs/ml --out top.csv.
    """
    if user is None and out is None:
        raise ValueError("Name a user, as in --user 196, or a file for all users, as in --out top.csv.")
    with stage("Starting"):
        from tabrec.runs import RecommenderRun
        from tabrec.runs.recommender_run import parse_ids
        from tabrec.saving.files import check_free_for_file, new_file

    if out is not None:
        check_free_for_file(out, overwrite=force)
    with stage(f"Loading {run}"):
        opened = RecommenderRun.open(run)
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
    with stage("Starting"):
        from tabrec.runs import RecommenderRun
        from tabrec.runs.recommender_run import parse_ids

    with stage(f"Loading {run}"):
        model = RecommenderRun.open(run).model
    found = model.similar_items(parse_ids([item], model.items_), n)
    print_ranked(found, model.item_name_, "similar", "similarity", "similarity")


def _print_recommended(run: Any, users: Any, recommended: Any) -> None:
    unknown = run.unknown_users(users)
    for name in users:
        rows = recommended[recommended["user"] == name]
        note = " (unknown; shows the recommendations for any new user)" if name in unknown else ""
        note = note if len(rows) else ": no items left to recommend"
        console.print(f"{escape(run.model.user_name_)} [bold]{escape(name)}[/]{note}")
        if len(rows):
            print_ranked(rows, run.model.item_name_, "item", "score", _score_title(run))


def _score_title(run: Any) -> str:
    return "predicted" if "rating" in run.metadata else "score"

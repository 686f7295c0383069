"""The command to begin with: demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tabrec.cli._printing import (
    console,
    escape,
    print_columns,
    print_findings,
    print_ranked,
    say,
    stage,
)
from tabrec.cli._ratings import rate_and_save
from tabrec.cli._tables import free_path, train_and_save

_SHOWN_FINDINGS = 6  # in the demo, the first ones


def demo(
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder to make.", show_default="runs/demo")
    ] = None,
    rows: Annotated[int, typer.Option(metavar="N", help="Rows of the made table.", min=1000)] = 10_000,
) -> None:
    """Make a table of auctions and a list of ratings, train models on both, price new rows and recommend items.

    Example:
      tabrec demo --out runs/demo

    It asks nothing of any network, and ends by naming the page to open.
    """
    from tabrec.datasets import make_auctions
    from tabrec.saving.files import new_folder

    out = out or free_path(Path("runs") / "demo")
    auctions = make_auctions(rows, random_state=0)
    is_new = auctions["saledate"] >= "2012-01-01"
    known, new = auctions[~is_new], auctions[is_new].drop(columns="SalePrice")
    console.print(
        f"{rows:,} made auctions of construction machines (no real ones), like Kaggle's Blue Book for Bulldozers.\n"
        f"{len(known):,} were sold before 2012 and have a price; the {len(new):,} sold later are to be priced.\n"
    )
    with new_folder(out) as folder:
        _demo_auctions(known, new, folder, out)
        user = _demo_ratings(folder, out)
    say(f"\nThe boosting priced the {len(new):,} new machines: {escape(out / 'submission.csv')}.")
    _print_by_hand(out, user)
    say(f"Now open {escape(out / 'report.html')} in a browser: it explains the forest.")


def _demo_auctions(known: Any, new: Any, folder: Path, shown: Path) -> None:
    """The tables' half of the demo: three models, prices by the boosting, a page about the forest."""
    from tabrec.runs.explain_run import describe_table, explain_run
    from tabrec.runs.table_run import predict_table

    known.to_csv(folder / "auctions.csv", index=False)
    new.to_csv(folder / "new.csv", index=False)
    print_columns(known, 20, most=12)
    options: dict[str, Any] = {"target": "SalePrice", "log_target": True}
    options |= {"time_column": "saledate", "valid_from": "2011-01-01"}
    table = describe_table(folder / "auctions.csv", ",", kept_at=shown / "auctions.csv")
    for model in ("forest", "boosting", "net"):
        options |= {"model": model, "show_kinds": model == "forest"}
        train_and_save(known, folder / model, table, shown=shown / model, **options)
    predictions = predict_table(folder / "boosting", new, id_column="SalesID")
    predictions.to_csv(folder / "submission.csv", index=False)
    with stage("Explaining the forest"):
        page = explain_run(folder / "forest", table=folder / "auctions.csv", new=folder / "new.csv")
        page.save(folder / "report.html")
    console.print("\nWhat to know of the forest:")
    print_findings(page.findings[:_SHOWN_FINDINGS])


def _demo_ratings(folder: Path, shown: Path) -> int:
    """The ratings' half of the demo; returns the user it recommends to."""
    from tabrec.datasets import make_ratings

    ratings = make_ratings(30_000, random_state=0)
    ratings.to_csv(folder / "ratings.csv", index=False)
    console.print(f"\n{len(ratings):,} made ratings (no real ones), like MovieLens.")
    for name in ("dot", "bayes"):
        model = rate_and_save(ratings, folder / name, shown=shown / name, model=name)
    user = int(ratings["user"].iloc[0])
    console.print(f"\nWhat the last model recommends to user {user}:")
    print_ranked(model.recommend(user, 5), "item", "item", "score", "predicted")
    return user


def _print_by_hand(out: Path, user: int) -> None:
    console.print(
        f"The same by hand, with a CSV of yours in the place of {escape(out / 'auctions.csv')}:\n\n"
        f"  tabrec train {escape(out / 'auctions.csv')} --target SalePrice --log-target \\\n"
        "    --time-column saledate --valid-from 2011-01-01 \\\n"
        "    --model boosting --out runs/mine\n"
        f"  tabrec predict runs/mine {escape(out / 'new.csv')} --id SalesID -o submission.csv\n"
        f"  tabrec explain runs/mine --new {escape(out / 'new.csv')}\n"
        f"  tabrec rate {escape(out / 'ratings.csv')} --model bayes --out runs/ml\n"
        f"  tabrec recommend runs/ml --user {user} -n 10\n",
        soft_wrap=True,
    )

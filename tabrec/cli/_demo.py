"""The command to start with: demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from tabrec.cli._options import option
from tabrec.cli._printing import console, escape, print_columns, print_findings, print_ranked, say, stage
from tabrec.cli._ratings import rate_and_save
from tabrec.cli._tables import free_path, train_and_save

_SHOWN_FINDINGS = 6


def demo(
    out: Annotated[Path | None, option("FOLDER", "Folder to create.", "runs/demo")] = None,
    rows: Annotated[int, option("N", "Rows of the generated table, and a third of the ratings.", min=1000)] = 10_000,
) -> None:
    """Generate auctions and ratings, train models on both, predict new rows and recommend items.

    Example:
      tabrec demo --out runs/demo

    It needs no network, and prints the path of the report at the end.
    """
    from tabrec.datasets import make_auctions
    from tabrec.saving.files import new_folder

    out = out or free_path(Path("runs") / "demo")
    auctions = make_auctions(rows, random_state=0)
    is_new = auctions["saledate"] >= "2012-01-01"
    known, new = auctions[~is_new], auctions[is_new].drop(columns="SalePrice")
    console.print(
        f"{rows:,} generated auctions of construction machines, similar to Kaggle's Blue Book for Bulldozers.\n"
        f"{len(known):,} were sold before 2012 and have a price; the prices of the {len(new):,} later ones are "
        "predicted.\n"
    )
    with new_folder(out) as folder:
        _demo_auctions(known, new, folder, out)
        user = _demo_ratings(3 * rows, folder, out)
    say(f"\nThe {len(new):,} prices that the boosting predicts are in {escape(out / 'submission.csv')}.")
    _print_commands(out, user)
    say(f"Open {escape(out / 'report.html')} in a browser: it explains the forest.")


def _demo_auctions(known: Any, new: Any, folder: Path, shown: Path) -> None:
    """The part on tables: three models, predictions of the boosting, a report on the forest."""
    from tabrec.runs import TableRun
    from tabrec.runs.trained_table import describe_table

    known.to_csv(folder / "auctions.csv", index=False)
    new.to_csv(folder / "new.csv", index=False)
    print_columns(known, target="SalePrice", most=12)
    options: dict[str, Any] = {"target": "SalePrice", "log_target": True}
    options |= {"time_column": "saledate", "valid_from": "2011-01-01"}
    table = describe_table(folder / "auctions.csv", kept_at=shown / "auctions.csv")
    for model in ("forest", "boosting", "net"):
        # Only the boosting predicts new rows, so only it is worth a refit on all rows.
        options |= {"model": model, "show_kinds": model == "forest", "refit": model == "boosting"}
        train_and_save(known, folder / model, table, shown=shown / model, **options)
    predictions = TableRun.open(folder / "boosting").predict(new, id_column="SalesID")
    predictions.to_csv(folder / "submission.csv", index=False)
    with stage("Explaining the forest"):
        page = TableRun.open(folder / "forest").explain(table=folder / "auctions.csv", new=folder / "new.csv")
        page.save(folder / "report.html")
    console.print("\nFindings about the forest:")
    print_findings(page.findings[:_SHOWN_FINDINGS])


def _demo_ratings(n_ratings: int, folder: Path, shown: Path) -> int:
    """The part on ratings; returns the user that items are recommended to."""
    from tabrec.datasets import make_ratings

    ratings = make_ratings(n_ratings, random_state=0)
    ratings.to_csv(folder / "ratings.csv", index=False)
    console.print(f"\n{len(ratings):,} generated ratings, similar to MovieLens.")
    for name in ("dot", "bayes"):
        run = rate_and_save(ratings, folder / name, shown=shown / name, model=name)
    user = int(ratings["user"].iloc[0])
    console.print(f"\nRecommendations of the last model for user {user}:")
    print_ranked(run.recommend(user, 5), "item", "item", "score", "predicted")
    return user


def _print_commands(out: Path, user: int) -> None:
    console.print(
        f"The same commands, for a CSV of your own in place of {escape(out / 'auctions.csv')}:\n\n"
        f"  tabrec train {escape(out / 'auctions.csv')} --target SalePrice --log-target \\\n"
        "    --time-column saledate --valid-from 2011-01-01 \\\n"
        "    --model boosting --out runs/mine\n"
        f"  tabrec predict runs/mine {escape(out / 'new.csv')} --id SalesID -o submission.csv\n"
        f"  tabrec explain runs/mine --new {escape(out / 'new.csv')}\n"
        f"  tabrec rate {escape(out / 'ratings.csv')} --model bayes --out runs/ml\n"
        f"  tabrec recommend runs/ml --user {user} -n 10\n",
        soft_wrap=True,
    )

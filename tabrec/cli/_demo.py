"""The command to start with: demo."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Annotated, Any

from tabrec.cli._options import option
from tabrec.cli._printing import console, escape, print_columns, print_findings, print_ranked, say, stage
from tabrec.cli._ratings import rate_and_save
from tabrec.cli._tables import free_path, train_and_save

_SHOWN_FINDINGS = 4


def demo(
    out: Annotated[Path | None, option("FOLDER", "Folder to create.", "runs/demo")] = None,
    rows: Annotated[int, option("N", "Rows of the generated table, and a third of the ratings.", min=1000)] = 4_000,
) -> None:
    """Generate auctions, ratings and clicks; compare models, predict, explain and recommend with the best.

    Example:
      tabrec demo --out runs/demo

    It needs no network, and prints the path of the report at the end.
    """
    with stage("Generating tables"):
        from tabrec.datasets import make_auctions
        from tabrec.saving.files import new_folder

        auctions = make_auctions(rows, random_state=0)
    out = out or free_path(Path("runs") / "demo")
    is_new = auctions["saledate"] >= "2012-01-01"
    known, new = auctions[~is_new], auctions[is_new].drop(columns="SalePrice")
    _title("1. A table")
    say(
        f"{rows:,} generated auctions of construction machines, similar to Kaggle's Blue Book for Bulldozers. "
        f"{len(known):,} were sold before 2012 and have a price; the prices of the {len(new):,} later ones are to be "
        "predicted."
    )
    with new_folder(out) as folder:
        models = [_demo_auctions(known, new, folder, out), _demo_ratings(3 * rows, folder, out)]
        models.append(_demo_clicks(3 * rows, folder, out))
    _title("The best models")
    for line in models:
        say(line)
    _print_commands(out)
    say(f"Open {escape(out / 'report.html')} in a browser: it explains the predictions of the prices.")


def _title(text: str) -> None:
    console.print(f"\n[bold]{text}[/]")


def _demo_auctions(known: Any, new: Any, folder: Path, shown: Path) -> str:
    """Compare models of auctions, predict and explain with the best one; returns its summary."""
    from tabrec.runs.trained_table import describe_table

    known.to_csv(folder / "auctions.csv", index=False)
    new.to_csv(folder / "new.csv", index=False)
    print_columns(known, target="SalePrice", most=8)
    table = describe_table(folder / "auctions.csv", kept_at=shown / "auctions.csv")
    options: dict[str, Any] = {"target": "SalePrice", "log_target": True}
    options |= {"time_column": "saledate", "valid_from": "2011-01-01"}
    runs = [
        train_and_save(
            known, folder / model, table, shown=shown / model, model=model, show_kinds=False, refit=False, **options
        )
        for model in ("forest", "boosting")
    ]
    best = min(runs, key=lambda run: run.metrics["validation"]["rmse"])
    model, scores = best.metadata["model"], best.metrics
    error, baseline = scores["validation"]["rmse"], scores["baseline"]["rmse"]
    say(
        "Each model is scored on the sales of 2011, later than those it was fitted to, because the sales to predict "
        f"are later too. The {model} is the best: its RMSE of {error:.2f} of the log price means that a typical "
        f"prediction is {_percent(error)} off, and that of the baseline, the mean price, {_percent(baseline)}. The "
        "error on training rows is too optimistic: the model has seen them."
    )
    with stage("Explaining the predictions"):
        page = best.explain(table=folder / "auctions.csv", new=folder / "new.csv")
        page.save(folder / "report.html")
    with stage(f"Fitting the {model} to all rows"):
        best.refit(known).save(folder / model, overwrite=True)
    with stage(f"Predicting {len(new):,} prices"):
        best.predict(new, id_column="SalesID").to_csv(folder / "submission.csv", index=False)
    say(
        f"The {model} has then learned from the sales of 2011 too. The {len(new):,} prices that it predicts are in "
        f"{escape(shown / 'submission.csv')}."
    )
    say("\nThe first findings of its report. Follow those marked act before you rely on the model:")
    print_findings(page.findings, _SHOWN_FINDINGS)
    return f"{model} for prices: RMSE of the log {error:.3f}, baseline {baseline:.3f}"


def _percent(error: float) -> str:
    """Format an error of the logarithm as a relative error in per cent."""
    return f"{math.expm1(error):.0%}"


def _demo_ratings(n_ratings: int, folder: Path, shown: Path) -> str:
    """Train a recommender on ratings; returns its summary."""
    from tabrec.datasets import make_ratings

    ratings = make_ratings(n_ratings, random_state=0)
    ratings.to_csv(folder / "ratings.csv", index=False)
    _title("2. Ratings")
    say(f"{len(ratings):,} generated ratings, similar to MovieLens; a fifth is held out.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*ranks worse than the most popular", UserWarning)  # see _demo_clicks
        run = rate_and_save(ratings, folder / "ratings", shown=shown / "ratings", model="bayes")
    scores = run.scores["rmse"]
    say(
        "RMSE and MAE are in stars. Biases only predicts from the means of each user and item, so that the RMSE of "
        f"{scores.iloc[0]:.3f} instead of {scores['biases only']:.3f} is due to the tastes that the model has "
        "learned. These metrics are of ratings that users gave. Which items users choose is another question, for "
        "recall and NDCG."
    )
    return f"bayes for ratings: RMSE {scores.iloc[0]:.3f} stars, biases only {scores['biases only']:.3f}"


def _demo_clicks(n_clicks: int, folder: Path, shown: Path) -> str:
    """Train a recommender on clicks; returns its summary."""
    from tabrec.collab import EASE, evaluate
    from tabrec.datasets import make_interactions
    from tabrec.runs.hold_out import hold_out
    from tabrec.saving import save

    _title("3. Clicks")
    generated: Any = make_interactions(n_clicks, random_state=0)
    clicks = generated[["user", "item"]]
    train, held_out = (clicks.iloc[rows] for rows in hold_out(clicks, random_state=0))
    with stage(f"Training a recommender on {len(train):,} clicks"):
        scores: Any = evaluate(EASE().fit(train), train, held_out)
        model = EASE().fit(clicks)
        save(model, folder / "clicks")
    found, popular = scores["ndcg"].iloc[0], scores.loc["most popular", "ndcg"]
    recall = scores["recall"].iloc[0]
    user = clicks["user"].iloc[0]
    say(
        f"{len(clicks):,} generated clicks; a fifth is held out. EASE recommends ten items to each user: on average "
        f"{recall:.0%} of those held out are among them (recall@10). NDCG@10 weights the first places more: it is "
        f"{found:.3f}, and {popular:.3f} for the most popular items, which a recommender must beat. For user {user}:"
    )
    print_ranked(model.recommend([user], 5), "item", "item", "score", "score")
    say(f"The model is in {escape(shown / 'clicks')}: open it with tabrec.load.")
    return f"EASE for clicks: NDCG@10 {found:.3f}, most popular {popular:.3f}"


def _print_commands(out: Path) -> None:
    console.print(
        f"\nThe same commands, for a CSV of your own in place of {escape(out / 'auctions.csv')}:\n\n"
        f"  tabrec train {escape(out / 'auctions.csv')} --target SalePrice --log-target \\\n"
        "    --time-column saledate --valid-from 2011-01-01 \\\n"
        "    --model all --out runs/mine    # forest, boosting and a net\n"
        f"  tabrec predict runs/mine {escape(out / 'new.csv')} --id SalesID -o submission.csv\n"
        f"  tabrec explain runs/mine --new {escape(out / 'new.csv')}\n"
        f"  tabrec rate {escape(out / 'ratings.csv')} --out runs/ml\n"
        "  tabrec recommend runs/ml --user 1 -n 10\n",
        soft_wrap=True,
    )

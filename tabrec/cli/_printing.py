"""The output of the command line: tables, scores and errors."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console
from rich.markup import escape as _escape_markup
from rich.table import Table

from tabrec.cli._option_names import name_options
from tabrec.tables.progress import show_progress, standard_error

# NO_COLOR also disables bold and dim: no escape sequences are printed.
_STYLED: Any = None if os.environ.get("NO_COLOR") else "auto"
console = Console(highlight=False, color_system=_STYLED)
errors = standard_error()

# Metrics of `tabrec.collab.evaluate` that are printed.
_MOST_FINDINGS = 7
_RATING_METRICS = ("rmse", "mae", "rmse_cold", "recall", "ndcg")
# Metrics of `tabrec.collab.compare_recommenders` that are printed, with their titles.
_RANKING_NAMES = {
    "ndcg": "NDCG@10",
    "ndcg_se": "± error",
    "precision": "precision",
    "recall": "recall",
    "coverage": "coverage",
}


# Replacements of characters that an encoding lacks; each has one character, so that columns stay aligned.
_REPLACEMENTS = {"²": "2", "–": "-", "—": "-", "…": ".", "×": "x", "’": "'"}


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lost = error.object[error.start : error.end]
    return "".join(_REPLACEMENTS.get(character, "?") for character in lost), error.end


codecs.register_error("tabrec.replace", _replace_unencodable)


def replace_unencodable(*streams: Any) -> None:
    """Let streams replace the characters that their encoding lacks."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="tabrec.replace")


_shows_stages = errors.is_terminal


def show_stages(wanted: bool) -> bool:
    """Set whether a line is printed for each stage even if the output is a file (``--verbose``)."""
    global _shows_stages
    _shows_stages = wanted or errors.is_terminal
    return wanted


def shows_stages() -> bool:
    return _shows_stages


def stage(text: str) -> AbstractContextManager:
    """Show the current stage in a terminal while the block runs, or print a line with ``--verbose``."""
    if _shows_stages and not errors.is_terminal:
        errors.print(escape(text), soft_wrap=True)
    return show_progress(text, verbose=errors.is_terminal)


def say(text: str) -> None:
    """Print a line, wrapped between words in a terminal and unwrapped in a file."""
    console.print(text, soft_wrap=not console.is_terminal)


def print_error(text: str) -> None:
    """Print an error to standard error, as `say` prints."""
    errors.print(f"[bold red]error:[/] {text}", soft_wrap=not errors.is_terminal)


def one_line(error: BaseException) -> str:
    return escape(" ".join(str(error).split()) or type(error).__name__)


def escape(text: Any) -> str:
    return _escape_markup(str(text))


_warned: set[str] = set()


def forget_warnings() -> None:
    """Forget which warnings were printed, so that a new command prints them again."""
    _warned.clear()


def print_warning(text: str) -> None:
    """Print a warning to standard error, unless the command has printed it before."""
    if text in _warned:
        return
    _warned.add(text)
    errors.print(f"[yellow]warning:[/] {text}", soft_wrap=not errors.is_terminal)


def print_ranked(rows: Any, title: str, names: str, scores: str, score_title: str) -> None:
    table = Table()
    table.add_column("rank", justify="right")
    table.add_column(escape(title), overflow="fold")
    table.add_column(score_title, justify="right")
    for rank, name, score in zip(rows["rank"], rows[names], rows[scores], strict=True):
        table.add_row(str(rank), escape(name), f"{score:.3f}")
    console.print(table)


def print_columns(frame: Any, most: int | None = None, **options: Any) -> None:
    """Print how `train` treats each column, or the first `most`; options are those of `plan_columns`."""
    from tabrec.runs import plan_columns

    plan = plan_columns(frame, **options)
    shown = plan.head(most or len(plan))
    console.print(f"{len(frame):,} rows, {len(plan)} columns")
    table = Table()
    table.add_column("column", overflow="fold")
    table.add_column("kind", no_wrap=True)
    table.add_column("distinct", justify="right", no_wrap=True)
    table.add_column("missing", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold", ratio=1)
    for name, row in shown.iterrows():
        reason = escape(row["reason"])
        table.add_row(escape(name), row["kind"], f"{row['n_unique']:,}", f"{row['missing']:.1%}", reason)
    if most is not None and most < len(plan):
        table.add_row(f"… {len(plan) - most} more", "", "", "", "")
    console.print(table)


def _print_labelled(label: str, text: str, width: int = 12) -> None:
    """Print a label with a text beside it, which is wrapped to its own column."""
    row = Table.grid()
    row.add_column(width=width, no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(label, text)
    console.print(row)


def print_kinds(kinds: dict[str, str]) -> None:
    for kind in ("date", "categorical", "continuous", "dropped"):
        names = [name for name, of_kind in kinds.items() if of_kind == kind]
        if names:
            listed = ", ".join(names[:6]) + (f", … ({len(names)} in all)" if len(names) > 6 else "")
            _print_labelled(f"[bold]{kind}[/]", escape(listed))


def print_scores(run: Any) -> None:
    from tabrec.runs.scores import ROW_NAMES, metric_name

    metadata = run.metadata
    metrics = list(run.metrics["validation"])
    rows = metadata["rows"]
    refitted = f"; refitted on all {sum(rows.values()):,} rows" if metadata["refit"] else ""
    _print_labelled(
        f"[bold]{metadata['model']}[/]",
        f"{'log of ' if metadata['log_target'] else ''}{escape(metadata['target'])}, fitted in "
        f"{metadata['fit_seconds']:.1f} s on {rows['train']:,} rows, validated on {rows['validation']:,}{refitted}",
    )
    table = Table()
    table.add_column("rows")
    for name in metrics:
        table.add_column(metric_name(name), justify="right")
    for split, scores in run.metrics.items():
        style = "bold" if split == "validation" else None
        values = [f"{scores[name]:.4f}" if name in scores else "–" for name in metrics]
        table.add_row(ROW_NAMES[split], *values, style=style)
    console.print(table)


def print_leaderboard(run: Any) -> None:
    """Print the models that were compared, the best first."""
    from tabrec.runs.scores import metric_name

    board = run.leaderboard
    key = board.columns[1]
    folds = len(run.metadata.get("folds", []))
    over = f"{folds} folds" if folds else f"{run.metadata['rows']['validation']:,} validation rows"
    table = Table(title=f"Scores over {over}, best first", title_justify="left")
    table.add_column("model")
    for name in (metric_name(key), "± error", "fit, s", "predict, s"):
        table.add_column(name, justify="right")
    for position, (model, value, error, fit, predict) in enumerate(board.itertuples(index=False)):
        numbers = ["–" if number is None or number != number else f"{number:.4f}" for number in (value, error)]
        table.add_row(model, *numbers, f"{fit:.2f}", f"{predict:.2f}", style="bold" if position == 0 else None)
    console.print(table)


def print_rating_scores(run: Any) -> None:
    """Print the scores of a rating run and of its baselines."""
    from tabrec.runs.scores import metric_name

    metadata = run.metadata
    _print_labelled(
        f"[bold]{metadata['model']}[/]",
        f"{escape(metadata['rating'])}, {metadata['users']:,} users, "
        f"{metadata['items']:,} items, fitted in {metadata['fit_seconds']:.1f} s on {metadata['ratings']['train']:,} "
        f"ratings, validated on {metadata['ratings']['validation']:,}",
    )
    table = Table()
    table.add_column("model", overflow="fold")
    names = [name for name in _RATING_METRICS if name in run.scores]
    for name in names:
        table.add_column(metric_name(name), justify="right")
    for position, (model, row) in enumerate(run.scores.iterrows()):
        values = ["–" if row[column] != row[column] else f"{row[column]:.4f}" for column in names]
        table.add_row(str(model), *values, style="bold" if position == 0 else None)
    console.print(table)


def print_ranking_scores(run: Any) -> None:
    """Print the leaderboard of a run of interactions, the kept model first, and its comparison in words."""
    metadata = run.metadata
    _print_labelled(
        f"[bold]{metadata['kept']}[/]",
        f"{sum(metadata['interactions'].values()):,} interactions, {metadata['users']:,} users, "
        f"{metadata['items']:,} items, fitted in {metadata['fit_seconds']:.1f} s, "
        f"tested on {escape(metadata['split'])}, {metadata['tested_users']:,} users",
        width=max(12, len(metadata["kept"]) + 1),
    )
    table = Table()
    table.add_column("model", no_wrap=True)
    for title in _RANKING_NAMES.values():
        table.add_column(title, justify="right")
    for position, (model, row) in enumerate(run.scores.iterrows()):
        values = ["–" if row.get(column) != row.get(column) else f"{row[column]:.4f}" for column in _RANKING_NAMES]
        table.add_row(str(model), *values, style="bold" if position == 0 else None)
    console.print(table)
    say(escape(metadata["summary"]))


def print_findings(findings: Any, most: int = _MOST_FINDINGS) -> None:
    """Print at most `most` findings with their severity, in the given order; similar ones are printed once."""
    from tabrec.interpret.page.consistency import describe_alike, group_alike

    styles = {1: "[red]act[/]", 2: "[yellow]check[/]", 3: "note"}
    groups = group_alike(findings)
    for group in groups[:most]:
        text = f"{escape(describe_alike(group))} [dim]{escape(name_options(group[0].action, ()))}[/]"
        _print_labelled(styles[group[0].severity], text, width=6)
    if more := sum(map(len, groups[most:])):
        say(f"… and {more} more on the page.")


def print_datasets(rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Print the data sets by name, and whether they exist already."""
    table = Table()
    table.add_column("name", no_wrap=True)
    table.add_column("description")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("here", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)

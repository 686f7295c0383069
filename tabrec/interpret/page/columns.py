"""Sections on columns: importance, redundancy, effects, embeddings, and one tree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._result import Finding
from tabrec.interpret.drawings.embedding_maps import embedding_map
from tabrec.interpret.drawings.tree_drawing import draw_tree
from tabrec.interpret.effects.dependence import partial_dependence
from tabrec.interpret.effects.pair_strengths import interaction_strength
from tabrec.interpret.page.blocks import NARROW, Section
from tabrec.interpret.page.report_data import ReportData
from tabrec.plotting.axes import make_axes, shorten
from tabrec.preprocess import column_kinds

_N_EFFECTS, _N_MAPS = 6, 4
_LOW = 3.3  # in inches
_N_TREE_ROWS = 1_000  # number of rows that effects of forests are averaged over
_N_BRUTE_ROWS = 200  # few, because models other than forests predict every row at each value
_N_LINES = 25
_ON_LINES = (
    f" Thin lines and small dots are {_N_LINES} single rows, moved to the mean of the average: where they are not "
    "parallel, the effect depends on other columns. Lines that leave the scale are cut."
)
_N_CROSSED, _N_PAIRS = 4, 2  # numbers of columns whose pairs are measured, and of pairs that are shown
_GRID_OF_PAIRS, _ROWS_OF_PAIRS, _ROWS_OF_LINES = 6, 200, 500
_N_ACROSS, _N_BY = 25, 4  # numbers of grid values of the column on the axis, and of the column of the lines
_MIN_LABELS = 4
_MOST_NAMES = 8
_CLEAR_IN_MOST = 3.3  # true importance, in standard errors, that is detected (above two) with a power of 90 %


def add_importance(section: Section, data: ReportData) -> None:
    """Show the importance of columns, and those without a clear one."""
    result = data.importance
    rows = {
        "oob": "the rows that each tree left out",
        "permutation": "held-out rows" if data.X_valid is not None else "the training rows",
        "cv": "the training rows, each predicted by one of five refits that did not see it",
    }[result.method]
    n_rows = data.n_rows_of_importance
    section.add_text(
        f"The loss in {result.metric} when a column is permuted, on {n_rows:,} rows: {rows}. Error bars are two "
        "standard errors. The importance of grey columns is not above 0 by two standard errors; more rows may show it. "
        "Columns that carry the same information are also permuted together."
    )
    section.add_figure(result.plot(n=20), "Permutation importance.")
    section.add_findings([*_find_harmful(result), *_find_unclear(result, n_rows)])


def _find_unclear(result: Any, n_rows: int) -> list[Finding]:
    """Describe columns without clear importance, the detectable importance and the number of rows needed."""
    verdicts = result.verdicts
    columns = verdicts.index[verdicts.isin(["weak", "none"])].tolist()
    if not columns:
        return []
    text = (
        f"{len(columns)} of {len(verdicts)} columns {'has' if len(columns) == 1 else 'have'} a weak importance or none "
        f"with these {n_rows:,} rows: "
        f"{_list(columns)}"
    )
    rows = result.table[result.table["source"].isin(columns)]
    evidence = (
        f"Each is within two standard errors of 0, which are up to {2 * rows['std_error'].max():.2g} of {result.metric}"
        ": smaller losses cannot be seen with these rows."
    )
    largest = rows.loc[rows["importance"].idxmax()]
    # If the estimate is far below its standard error, the number of rows needed cannot be estimated.
    if largest["importance"] > _CLEAR_IN_MOST / 10 * largest["std_error"]:
        needed = float(f"{n_rows * (_CLEAR_IN_MOST * largest['std_error'] / largest['importance']) ** 2:.2g}")
        evidence += (
            f" If the loss of {largest['column']} is {largest['importance']:.2g}, as estimated, {needed:,.0f} rows "
            "would show it nine times in ten."
        )
    action = "drop_unimportant refits without them and reports the change in score."
    return [Finding("unclear importance", 3, tuple(columns), text, evidence, action)]


def _find_harmful(result: Any) -> list[Finding]:
    """Describe columns whose permutation clearly improves the score."""
    columns = result.verdicts.index[result.verdicts == "harmful"].tolist()
    if not columns:
        return []
    text = f"The model scores better with permuted values of {_list(columns)}"
    evidence = f"{result.metric} improves by more than three standard errors."
    return [Finding("harmful columns", 2, tuple(columns), text, evidence, "Refit without them and compare the scores.")]


def _list(columns: list[str]) -> str:
    return ", ".join(columns[:_MOST_NAMES]) + (", …" if len(columns) > _MOST_NAMES else ".")


def add_redundancy(section: Section, data: ReportData) -> None:
    """Show clusters of columns that carry the same information."""
    result = data.redundancy
    section.add_text("Columns that rank the rows alike (absolute Spearman correlation) merge early, at the left.")
    section.add_figure(result.plot(), "Hierarchical clustering of the columns.")
    section.add_findings(result.findings)


def add_effects(section: Section, data: ReportData) -> None:
    """Show the partial dependence of the most important columns."""
    columns = data.top_columns(_N_EFFECTS)
    if not columns:
        section.add_note("No column is important enough to show its effect.")
        return
    # Lines of many classes would hide each other.
    shows_rows = not data.is_classifier or len(data.model.classes_) == 2
    section.add_text(
        "The average prediction over the same rows when all of them hold one value of the column and all other columns "
        "stay; all plots have one scale. Where columns are correlated, some of these rows may not exist."
        f"{_ON_LINES if shows_rows else ''}"
    )
    rows = data.sample(len(data.X), _N_TREE_ROWS if data.trees is not None else _N_BRUTE_ROWS)
    X, weights = data.X.iloc[rows], None if data.weights is None else data.weights[rows]
    options: dict[str, Any] = {"kind": "both" if shows_rows else "average", "n_curves": _N_LINES}
    effects = {
        column: partial_dependence(data.model, X, column, **options, sample_weight=weights) for column in columns
    }
    drawn: dict[str, Any] = {"centred": "mean", "n_lines": _N_LINES}
    ends = [effect.limits(**drawn) for effect in effects.values()]
    limits = min(low for low, _ in ends), max(high for _, high in ends)
    if data.is_classifier:  # centred lines may leave the range of probabilities
        limits = max(limits[0], 0.0), min(limits[1], 1.0)
    for column, effect in effects.items():
        axes = _name_target(effect.plot(**drawn, limits=limits), data)
        caption = f"Partial dependence of {column}, averaged over {len(X):,} training rows."
        # Plots of labels have a row per label instead of a vertical axis, and need more height.
        size: dict[str, Any] = {"width": NARROW, "height": _LOW} if axes.get_ylabel() else {}
        section.add_figure(axes, caption, **size)
    _add_interactions(section, data, X, weights)


def _add_interactions(section: Section, data: ReportData, X: pd.DataFrame, weights: np.ndarray | None) -> None:
    """Show the joint effects of the pairs of important columns that interact strongly."""
    table = data.importance.table
    sources = table[~table["is_group"]].set_index("column")["source"]
    clear = data.importance.verdicts.isin(["clear", "clear together"])
    names = list(dict.fromkeys(sources[name] for name in data.top_columns(_N_EFFECTS)))
    names = [name for name in names if clear[name]][:_N_CROSSED]
    if len(names) < 2:
        return
    options: dict[str, Any] = {"grid_size": _GRID_OF_PAIRS, "max_rows": _ROWS_OF_PAIRS}
    found = interaction_strength(data.model, X, names, **options, sample_weight=weights)
    strong = found.table[found.table["is_strong"]]
    first = found.table.iloc[0]
    n_pairs = len(found.table)
    pairs = f"the {n_pairs} pairs of {', '.join(names[:-1])} and {names[-1]}" if n_pairs > 1 else " and ".join(names)
    width = 2 * first["std_error"] / first["strength"] * first["share"] if first["strength"] > 0 else 0.0
    error = f" ± {width:.0%}" if np.isfinite(width) else ""
    largest = (
        f"{'the largest interaction, of ' if n_pairs > 1 else 'the interaction of '}{first['column']} and "
        f"{first['other']}, is {first['share']:.0%} of their joint effect{error}"
    )
    verdict = (
        "no strong interaction was found"
        if strong.empty
        else f"{len(strong)} interact{'s' * (len(strong) == 1)} strongly"
    )
    section.add_text(f"Among {pairs}, {verdict}: {largest} ({found.n_rows:,} rows, two standard errors).")
    for _, row in strong.head(_N_PAIRS).iterrows():
        across, by = _order_pair(X, row["column"], row["other"])
        sizes: dict[str, Any] = {"grid_size": (_N_ACROSS, _N_BY), "max_rows": _ROWS_OF_LINES, "sample_weight": weights}
        axes = partial_dependence(data.model, X, (across, by), **sizes).plot(as_lines=True)
        axes = _name_target(axes, data)
        section.add_figure(axes, f"Partial dependence of {across} by {by}: lines that are not parallel interact.")
    section.add_findings(found.findings[:_N_PAIRS])


def _name_target(axes: Any, data: ReportData) -> Any:
    """Name the target on the axis of the prediction of a regressor."""
    if not data.is_classifier:
        named = f"average predicted {shorten(data.target)}"
        axes.set(
            xlabel=axes.get_xlabel().replace("average prediction", named),
            ylabel=axes.get_ylabel().replace("average prediction", named),
        )
    return axes


def _order_pair(X: pd.DataFrame, column: str, other: str) -> tuple[str, str]:
    """Return the pair with the column of the axis first: numbers before labels, then the one with more values."""
    kinds = column_kinds(X[[column, other]])
    is_label = kinds["kind"] == "categorical"
    rank = {name: (not is_label[name], kinds["n_unique"][name]) for name in (column, other)}
    return (column, other) if rank[column] >= rank[other] else (other, column)


def add_embeddings(section: Section, data: ReportData) -> None:
    """Show maps of the labels of the most important categorical columns."""
    tables = data.model.embeddings_
    by_importance = [name for name in data.importance.table["column"] if name in tables]
    shown = [name for name in by_importance if len(tables[name]) > _MIN_LABELS][:_N_MAPS]
    if not shown:
        section.add_note("No column has enough labels for a map.")
        return
    section.add_text("Labels with similar embedding vectors are close (first two principal components).")
    for name in shown:
        section.add_figure(
            embedding_map(data.model, name, n=20).plot(make_axes(None, (4.9, 5.2))), f"Labels of {name}."
        )


def add_tree(section: Section, data: ReportData) -> None:
    """Show the first splits of one tree."""
    n_trees = len(data.trees.trees)  # type: ignore[union-attr]
    one_of = f"one of {n_trees} trees, each grown on its own sample of the rows" if n_trees > 1 else "the tree"
    section.add_text(f"The first splits of {one_of}.")
    section.add_figure(
        draw_tree(data.model, max_depth=2), "Each card is a node; thicker branches hold more rows.", "plain"
    )

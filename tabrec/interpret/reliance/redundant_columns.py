"""`redundancy`: find redundant columns by rank correlation and average linkage."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import dendrogram, fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata
from sklearn.utils._param_validation import Interval

from tabrec.interpret._parameters import RANDOM_STATE, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.plotting.axes import BLUE, GREEN, GREY, ORANGE, RED, finish, ink, make_axes, shorten_all
from tabrec.preprocess import TabularPreprocessor
from tabrec.tables.float32_maps import learn_maps
from tabrec.tables.output import pandas_output
from tabrec.tables.rows import sample_rows
from tabrec.trees.target_encoding import to_matrix

_MOST_DRAWN = 80
# Pairs of categories whose random projections agree less are not relabellings of each other.
_MIN_AGREEMENT = 0.8
_N_PROJECTIONS = 4
_SAME_LABELS = 0.95
_LEAST_ROWS = 10  # the ranks of fewer rows agree by chance
_ROWS_PER_VALUE = 5  # numbers with fewer rows per distinct value are not treated as labels


@dataclass(frozen=True, repr=False)
class Redundancy(Result):
    """Columns that carry nearly the same information; the result of `redundancy`.

    Attributes
    ----------
    table : pandas.DataFrame
        Pairs of encoded columns, closest first: ``column_a``, ``column_b``; ``correlation``, Spearman's; ``distance``,
        1 − |correlation|; ``determines``, for pairs of categories or repeated numbers that may be relabellings of one
        another, how well each predicts the other: 1 for one-to-one, 0 for no better than a guess, NaN where it was not
        computed.
    clusters : list of list of str
        Encoded columns that merge below the threshold, at least two in each, closest first.
    sources : dict of str to str
        The raw column of each encoded one.
    linkage : ndarray of shape (n_columns - 1, 4)
        Average linkage of the distances, in SciPy's form.
    correlation : pandas.DataFrame of shape (n_columns, n_columns)
        Spearman's correlation; 0 with constant columns.
    constants : list of str
        Columns of one value.
    threshold : float
        The distance below which columns are in one cluster.
    findings : list of Finding
        Clusters, relabelled and constant columns.

    See Also
    --------
    redundancy : Makes it.
    """

    table: pd.DataFrame
    clusters: list[list[str]]
    sources: dict[str, str]
    linkage: np.ndarray
    correlation: pd.DataFrame
    constants: list[str]
    threshold: float
    findings: list[Finding]

    def plot(self, ax: Any = None) -> Any:
        """Draw the dendrogram with coloured clusters; of more than 80 columns, the 80 with the closest neighbours.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        names, links = self._drawn()
        ax = make_axes(ax, (7.2, max(2.4, 0.6 + 0.19 * len(names))))
        places, colors = [0], {0: ink()}
        if len(names) > 1:
            colors = self._colors(links)
            tree = dendrogram(links, no_plot=True, link_color_func=colors.__getitem__)
            places = tree["leaves"]
            for y, x, color in zip(tree["icoord"], tree["dcoord"], tree["color_list"], strict=True):
                ax.plot(x, y, color=color, linewidth=1.4, solid_joinstyle="miter")
        ax.axvline(self.threshold, color=ink(), linewidth=0.8, linestyle=":")
        ax.set_yticks(5 + 10 * np.arange(len(names)), shorten_all(names[place] for place in places), fontsize=8)
        for tick, place in zip(ax.get_yticklabels(), places, strict=True):
            tick.set_color(ink() if colors[place] == GREY else colors[place])
        ax.set(ylim=(0, 10 * len(names)), xlim=(-0.01, 1.02), xlabel="distance: 1 − |rank correlation|")
        drawn = f"The {len(names)} closest of {len(self.correlation)} columns" if self._is_cut else "Redundant columns"
        ax.set_title(f"{drawn}, clusters below {self.threshold:g}", fontsize=10)
        finish(ax).grid(visible=False, axis="y")
        return ax

    @property
    def _is_cut(self) -> bool:
        return len(self.correlation) > _MOST_DRAWN

    def _drawn(self) -> tuple[list[str], np.ndarray]:
        """Return the names of the columns to draw, and their linkage."""
        names = self.correlation.columns.to_numpy()
        if not self._is_cut:
            return list(names), self.linkage
        distance = _distances(self.correlation.to_numpy())
        nearest = (distance + 2 * np.eye(len(names))).min(axis=1)
        chosen = np.sort(np.argsort(nearest, kind="stable")[:_MOST_DRAWN])
        return list(names[chosen]), _link(distance[np.ix_(chosen, chosen)])

    def _colors(self, links: np.ndarray) -> dict[int, str]:
        """Return a colour for each column and merge: that of its cluster, or grey."""
        n = len(links) + 1
        member = dict(enumerate(fcluster(links, self.threshold, criterion="distance")))
        sizes = np.bincount(list(member.values()))
        cycle = dict(zip(np.flatnonzero(sizes > 1), itertools.cycle([BLUE, ORANGE, GREEN, RED]), strict=False))
        colors = {column: cycle.get(cluster, GREY) for column, cluster in member.items()}
        for k, (left, _, height, _) in enumerate(links):
            colors[n + k] = colors[int(left)] if height <= self.threshold else GREY
        return colors


@check_parameters(threshold=[Interval(Real, 0, 1, closed="both")], max_rows=[at_least(2)], random_state=RANDOM_STATE)
def redundancy(X: Any, *, threshold: float = 0.1, max_rows: int = 20_000, random_state: Any = 0) -> Redundancy:
    """Find columns that carry nearly the same information, by the rank correlation of the encoded frame.

    Parameters
    ----------
    X : table or array-like of shape (n_rows, n_columns)
        Raw, or encoded for a forest.
    threshold : float, default=0.1
        Columns that merge at a distance of at most this are a cluster; between 0 and 1.
    max_rows : int, default=20_000
        At most this many rows are used, drawn at random. The error of a correlation is then below 0.02 in 99 of 100
        cases, and much smaller near 1.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of that draw.

    Returns
    -------
    Redundancy

    Raises
    ------
    ValueError
        A parameter out of range.

    See Also
    --------
    cluster_columns : Draws the dendrogram.
    try_dropping : The score of a model without each column of the clusters.
    feature_importance : Permutes the columns of a cluster together, with ``groups=``.

    Notes
    -----
    The distance is 1 − |ρ|, so that a column and its negative are close; clusters are those of average linkage. The
    codes of unordered categories are in alphabetical order, so that ρ may miss that two columns are one-to-one. For
    such pairs of categories, or of numbers with at least five rows per distinct value, ``determines`` gives how much
    better than the most common label one predicts the other (Goodman and Kruskal's lambda, each row predicted from the
    other rows; the smaller of both directions).

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Removing Redundant Features".

    Examples
    --------
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import redundancy
    >>> found = redundancy(make_auctions(300, random_state=0)[["ProductGroup", "ProductGroupDesc", "state"]])
    >>> found.clusters
    [['ProductGroup', 'ProductGroupDesc']]
    """
    preprocessor = TabularPreprocessor("forest")
    with pandas_output():
        encoded = preprocessor.fit_transform(X)
    rows = sample_rows(len(encoded), max_rows, np.random.default_rng(random_state))
    matrix = to_matrix(encoded, rows, learn_maps(encoded))
    names = [str(name) for name in encoded.columns]
    correlation, has_no_spread = _spearman(matrix)
    distance = _distances(correlation)
    links = _link(distance)
    is_category = np.array([isinstance(dtype, pd.CategoricalDtype) for dtype in encoded.dtypes])
    codes = {at: _as_codes(matrix[:, at], is_category[at]) for at in np.flatnonzero(~has_no_spread).tolist()}
    determines = _determination({at: code for at, code in codes.items() if code is not None}, random_state)
    table = _pairs(names, correlation, distance, determines)
    clusters = _clusters(names, links, distance, threshold)
    sources = {str(name): str(source) for name, source in preprocessor.output_to_input_.items()}
    # Constants are found on all rows, because a sample may lack a rare value.
    in_sample = [name for name, flat in zip(encoded.columns, has_no_spread, strict=True) if flat]
    constants = [str(name) for name in in_sample if encoded[name].nunique(dropna=False) < 2]
    frame = pd.DataFrame(correlation, index=names, columns=names)
    findings = [
        *[_cluster_finding(cluster, frame, sources) for cluster in clusters if len(matrix) >= _LEAST_ROWS],
        *_relabelled_findings(table, clusters),
        *_constant_findings(constants),
    ]
    findings.sort(key=lambda finding: finding.severity)
    return Redundancy(table, clusters, sources, links, frame, constants, threshold, findings)


def cluster_columns(
    X: Any, *, ax: Any = None, threshold: float = 0.1, max_rows: int = 20_000, random_state: Any = 0
) -> Any:
    """Draw the dendrogram of `redundancy`, under the name that the book uses.

    Parameters
    ----------
    X : table or array-like of shape (n_rows, n_columns)
        Raw, or encoded for a forest.
    ax : matplotlib.axes.Axes, default=None
        The axes to draw on; None makes a new figure.
    threshold, max_rows, random_state : float, int, int
        Passed to `redundancy`.

    Returns
    -------
    matplotlib.axes.Axes

    See Also
    --------
    redundancy : Computes the clusters.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Removing Redundant Features".

    Examples
    --------
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import cluster_columns
    >>> ax = cluster_columns(make_auctions(300, random_state=0)[["ProductGroup", "ProductGroupDesc", "state"]])
    >>> ax.get_xlabel()
    'distance: 1 − |rank correlation|'
    """
    return redundancy(X, threshold=threshold, max_rows=max_rows, random_state=random_state).plot(ax)


def _spearman(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Spearman's correlation matrix, 0 for constant columns, and a mask of constant columns."""
    ranks = np.empty(matrix.shape)
    for position, column in enumerate(matrix.T):
        ranks[:, position] = rankdata(column)
    ranks -= ranks.mean(axis=0)
    length = np.sqrt(np.square(ranks).sum(axis=0))
    is_constant = length == 0
    ranks /= np.where(is_constant, 1, length)
    correlation = np.clip(ranks.T @ ranks, -1, 1)
    np.fill_diagonal(correlation, 1)
    return correlation, is_constant


def _distances(correlation: np.ndarray) -> np.ndarray:
    distance = np.clip(1 - np.abs(correlation), 0, 1)
    distance[distance < 1e-12] = 0  # rounding can make distances negative
    np.fill_diagonal(distance, 0)
    return distance


def _link(distance: np.ndarray) -> np.ndarray:
    if len(distance) < 2:
        return np.empty((0, 4))
    return linkage(squareform(distance, checks=False), "average")


def _as_codes(values: np.ndarray, is_category: bool) -> np.ndarray | None:
    """Convert an encoded column to integer codes; None for numbers with few rows per distinct value."""
    if is_category:
        return values.astype(np.intp)
    distinct, codes = np.unique(values, return_inverse=True)
    return codes if len(distinct) * _ROWS_PER_VALUE <= len(values) else None


def _determination(codes_of: dict[int, np.ndarray], random_state: Any) -> dict[tuple[int, int], float]:
    """Return how well the columns of possible relabellings predict each other, by pair of positions."""
    positions, codes = list(codes_of), list(codes_of.values())
    agreement = _partition_agreement(codes, random_state)
    firsts, seconds = np.nonzero(np.triu(agreement > _MIN_AGREEMENT, k=1))
    return {
        (int(positions[i]), int(positions[j])): min(_lambda(codes[i], codes[j]), _lambda(codes[j], codes[i]))
        for i, j in zip(firsts, seconds, strict=True)
    }


def _partition_agreement(codes: list[np.ndarray], random_state: Any) -> np.ndarray:
    """Return the mean correlation of random columns averaged within labels, which is 1 for equal partitions."""
    generator = np.random.default_rng(random_state)
    agreement = np.zeros((len(codes), len(codes)))
    for _ in range(_N_PROJECTIONS if codes else 0):
        drawn = generator.normal(size=len(codes[0]))
        means = np.column_stack([(np.bincount(c, drawn) / np.maximum(np.bincount(c), 1))[c] for c in codes])
        means -= means.mean(axis=0)
        means /= np.sqrt(np.square(means).sum(axis=0))
        agreement += means.T @ means / _N_PROJECTIONS
    return agreement


def _lambda(codes: np.ndarray, other: np.ndarray) -> float:
    """Return Goodman and Kruskal's lambda of `other` given `codes`, with leave-one-out predictions."""
    width = other.max() + 1
    cells, inverse, counts = np.unique(codes * width + other, return_inverse=True, return_counts=True)
    label = cells // width
    best = np.zeros(codes.max() + 1, dtype=np.int64)
    np.maximum.at(best, label, counts)
    is_best = counts == best[label]
    n_best = np.bincount(label[is_best], minlength=len(best))
    # Without the row itself, its label must still occur, and still be the most frequent one.
    is_right = (counts > 1) & is_best & (n_best[label] == 1)
    by_chance = np.bincount(other).max() / len(other)
    return float(max((is_right[inverse].mean() - by_chance) / (1 - by_chance), 0))


def _pairs(
    names: list[str], correlation: np.ndarray, distance: np.ndarray, determines: dict[tuple[int, int], float]
) -> pd.DataFrame:
    first, second = np.triu_indices(len(names), k=1)
    determined = np.full(distance.shape, np.nan)
    for pair, value in determines.items():
        determined[pair] = value
    label = np.array(names, dtype=object)
    table = pd.DataFrame(
        {
            "column_a": label[first],
            "column_b": label[second],
            "correlation": correlation[first, second],
            "distance": distance[first, second],
            "determines": determined[first, second],
        }
    )
    closeness = np.fmin(table["distance"].to_numpy(), 1 - table["determines"].to_numpy())
    return table.iloc[np.argsort(closeness, kind="stable")].reset_index(drop=True)


def _clusters(names: list[str], links: np.ndarray, distance: np.ndarray, threshold: float) -> list[list[str]]:
    if not len(links):
        return []
    member = fcluster(links, threshold, criterion="distance")
    found = [np.flatnonzero(member == k) for k in np.unique(member)]
    found = [cluster for cluster in found if len(cluster) > 1]
    found.sort(key=lambda cluster: distance[np.ix_(cluster, cluster)].max())
    return [[names[position] for position in cluster] for cluster in found]


def _cluster_finding(cluster: list[str], correlation: pd.DataFrame, sources: dict[str, str]) -> Finding:
    values = np.abs(correlation.loc[cluster, cluster].to_numpy())
    lowest = values[np.triu_indices(len(cluster), k=1)].min()
    severity = 3 if len({sources[name] for name in cluster}) == 1 else 2
    text = f"{_listed(cluster)} carry nearly the same information."
    evidence = f"The absolute rank correlation is at least {np.floor(lowest * 1000) / 1000:.3f}."
    action = "Score the model without all but one of them: try_dropping shows the value of each."
    return Finding("redundant columns", severity, tuple(cluster), text, evidence, action)


def _relabelled_findings(table: pd.DataFrame, clusters: list[list[str]]) -> list[Finding]:
    """Return findings on one-to-one pairs that are not in a cluster because the order of their labels differs."""
    together = [set(cluster) for cluster in clusters]
    findings = []
    rows: Any = table[table["determines"] >= _SAME_LABELS].itertuples()
    for row in rows:
        pair = (row.column_a, row.column_b)
        if not any(set(pair) <= cluster for cluster in together):
            text = f"{pair[0]} and {pair[1]} correspond one to one."
            evidence = f"Lambda {row.determines:.0%} in both directions; rank correlation {row.correlation:.2f}."
            findings.append(Finding("relabelled column", 2, pair, text, evidence, "Keep one of them."))
    return findings


def _constant_findings(constants: list[str]) -> list[Finding]:
    if not constants:
        return []
    text = f"{_listed(constants)}: one value in every row."
    evidence, action = f"{len(constants)} constant column(s).", "Drop constant columns."
    return [Finding("constant column", 3, tuple(constants), text, evidence, action)]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

"""How often the statements of `tabrec.interpret` are right, on made data whose truth is known and on two real tables.

    TABREC_DATA_DIR=/path/to/data python benchmarks/claims.py
    python benchmarks/claims.py --only shift

Every random number has a fixed seed. The command fails if a share is outside of its required range.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from _claims_data import draw_columns, draw_leaks, draw_problem, draw_target
from _claims_tables import check_table
from _timing import describe_machine, markdown_table, note
from scipy.stats import ks_2samp
from sklearn.linear_model import LinearRegression

from tabrec import BoostingClassifier, BoostingRegressor, ForestClassifier, ForestRegressor
from tabrec.interpret import confidence, domain_shift, drop_and_compare, feature_importance, leakage_check

N_PROBLEMS = 20
# The finding that each planted leak should give.
LEAKS = {
    "copy of the target": "too-good column",
    "function of the target": "too-good column",
    "target as text": "too-good column",
    "missing values": "informative missing values",
    "id": "id that matters",
    "difference of two columns": "target of two columns",
    "row order": "informative row order",
    "group": "groups across the split",
}


@dataclass(frozen=True)
class Claim:
    """A measured figure, and the range that it should be in."""

    what: str
    value: float
    lowest: float
    highest: float
    form: str = "{:.1%}"

    @property
    def holds(self) -> bool:
        return self.lowest <= self.value <= self.highest

    def row(self) -> list[str]:
        limits = [self.form.format(limit) if np.isfinite(limit) else "" for limit in (self.lowest, self.highest)]
        return [self.what, self.form.format(self.value), " to ".join(limits), "yes" if self.holds else "NO"]


def main() -> int:
    """Print the tables; return 1 if a figure is outside of its range."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parts = parser.parse_args().only
    warnings.simplefilter("ignore")
    print(describe_machine(), end="\n\n")
    is_right = True
    for part in parts:
        note(f"claims: {part}")
        claims = list(PARTS[part]())
        print(f"{TITLES[part]}\n")
        print(
            markdown_table(["figure", "measured", "required", "holds"], [claim.row() for claim in claims]), end="\n\n"
        )
        is_right = is_right and all(claim.holds for claim in claims)
    return 0 if is_right else 1


def judge_importance() -> Iterator[Claim]:
    """Verdicts on columns that matter and on noise, by each measure of importance."""
    found = []
    for seed in range(N_PROBLEMS):
        problem = draw_problem(seed)
        makers = (ForestClassifier, BoostingClassifier) if problem.is_class else (ForestRegressor, BoostingRegressor)
        metric = "log_loss" if problem.is_class else None
        sizes: list[dict] = [{"n_estimators": 50}, {"max_iter": 60}]
        forest, boosting = (
            make(random_state=seed, **size).fit(problem.X, problem.y) for make, size in zip(makers, sizes, strict=True)
        )
        for method, model, rows in (
            ("oob", forest, (problem.X, problem.y)),
            ("permutation", boosting, (problem.X_valid, problem.y_valid)),
            ("cv", boosting, (problem.X, problem.y)),
        ):
            options = {"metric": metric, "n_repeats": 1, "random_state": seed}
            table = feature_importance(model, *rows, method, **options).table
            by_source = table.groupby("source")["verdict"].agg(_strongest)
            found += [(method, name in problem.true, by_source[name]) for name in problem.X.columns]
    table = pd.DataFrame(found, columns=["method", "is_true", "verdict"])
    for method, rows in table.groupby("method", sort=False):
        verdicts = {truth: part["verdict"] for truth, part in rows.groupby("is_true")}
        yield Claim(f"{method}: columns that matter called none", (verdicts[True] == "none").mean(), 0, 0.02)
        yield Claim(
            f"{method}: columns that matter called weak or none", (verdicts[True].isin(["weak", "none"])).mean(), 0, 1
        )
        yield Claim(f"{method}: noise called clear", (verdicts[False] == "clear").mean(), 0, 0.05)


def _strongest(verdicts: pd.Series) -> str:
    """The verdict on a raw column from those on its encoded columns."""
    return next(name for name in ("clear", "harmful", "weak", "none") if name in set(verdicts))


def judge_shift() -> Iterator[Claim]:
    """False alarms and power of `domain_shift`."""
    options = {"n_permutations": 199, "n_estimators": 20}
    alarms = [
        domain_shift(draw_columns(300, 2 * seed), draw_columns(300, 2 * seed + 1), random_state=seed, **options).p_value
        for seed in range(200)
    ]
    yield Claim("false alarms in 200 draws without shift", np.mean(np.array(alarms) <= 0.05), 0, 0.05)
    found = {"shift": 0, "Kolmogorov-Smirnov": 0, "correlation": 0}
    for seed in range(15):
        old, new = draw_columns(600, 5000 + 2 * seed), draw_columns(600, 5001 + 2 * seed)
        new["number"] += 0.3
        found["shift"] += domain_shift(old, new, random_state=seed, **options).p_value <= 0.05
        numbers = old.select_dtypes("number").columns
        least = min(ks_2samp(old[name].dropna(), new[name].dropna()).pvalue for name in numbers)
        found["Kolmogorov-Smirnov"] += least * len(numbers) <= 0.05
    for seed in range(10):
        old, new = draw_columns(600, 7000 + 2 * seed), draw_columns(600, 7001 + 2 * seed)
        new["number"] = 0.5 * new["other"] + np.sqrt(0.75) * new["number"]
        found["correlation"] += domain_shift(old, new, random_state=seed, **options).p_value <= 0.05
    yield Claim("means that move by 0.3 standard deviations found, of 15", found["shift"], 15, 15, "{:.0f}")
    yield Claim("the same by Kolmogorov-Smirnov with Bonferroni", found["Kolmogorov-Smirnov"], 0, 15, "{:.0f}")
    yield Claim("correlations that move by 0.5 found, of 10", found["correlation"], 9, 10, "{:.0f}")


def judge_dropping() -> Iterator[Claim]:
    """The change of a score without a column of noise, in standard errors."""
    z = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        X = pd.DataFrame(rng.normal(size=(400, 6)), columns=list("abcdef"))
        y = X["a"] + X["b"] + rng.normal(size=400)
        suspects = ["c", "d", "e", "f"]
        table = drop_and_compare(LinearRegression(), X, y, suspects, time=np.arange(400), random_state=seed).table
        table = table[table["dropped"].map(len) == 1]
        z += (table["change"] / table["std_error"]).tolist()
    yield Claim("standard deviation of z without a column of noise", np.std(z), 0.9, 1.1, "{:.3f}")
    yield Claim("mean of z", np.mean(z), -np.inf, np.inf, "{:.3f}")


def judge_leakage() -> Iterator[Claim]:
    """Alarms on clean data, and planted leaks found."""
    alarms = 0
    for seed in range(30):
        X, y = draw_leaks(seed, None)
        y = pd.qcut(y, 3, labels=False) if seed % 3 == 2 else y
        # Rows in their order: copies and groups are looked for on both sides of the split.
        alarms += bool(leakage_check(None, X[:1000], y[:1000], X[1000:], y[1000:], random_state=seed).findings)
    yield Claim("alarms on 30 clean draws", alarms, 0, 0, "{:.0f}")
    for kind in LEAKS:
        hits = 0
        for seed in range(5):
            X, y = draw_leaks(seed, kind)
            held_out = (X[1000:], y[1000:]) if kind == "group" else ()
            n_rows = 1000 if held_out else len(X)
            findings = leakage_check(None, X[:n_rows], y[:n_rows], *held_out, random_state=seed).findings
            named = [finding.columns for finding in findings if finding.kind == LEAKS[kind]]
            hits += any("leak" in columns or not columns for columns in named)
        yield Claim(f"planted, {kind}: found, of 5", hits, 5, 5, "{:.0f}")


def judge_coverage() -> Iterator[Claim]:
    """Coverage of 90% intervals and sets, overall, by fifth of a column and by class."""
    for kind in ("heteroscedastic", "lognormal", "zero-inflated"):
        by_fifth: dict[str, list] = {"out of bag": [], "calibration": []}
        for seed in range(5):
            (X, y), (X_new, y_new) = draw_target(kind, 2000, 500 + seed), draw_target(kind, 4000, 600 + seed)
            forest = ForestRegressor(random_state=seed).fit(X, y)
            boosting = BoostingRegressor(random_state=seed).fit(X[:1000], y[:1000])
            results = {
                "out of bag": confidence(forest, X_new, training=(X, y)),
                "calibration": confidence(boosting, X_new, calibration=(X[1000:], y[1000:])),
            }
            for name, result in results.items():
                by_fifth[name].append(result.coverage(y_new, by="x")["coverage"].to_numpy())
        for name, coverage in by_fifth.items():
            fifths = np.mean(coverage, axis=0)
            yield Claim(f"{kind}, {name}: coverage", fifths.mean(), 0.88, 0.92)
            yield Claim(f"{kind}, {name}: of the least covered fifth of x", fifths.min(), 0.85, 0.95)
            yield Claim(f"{kind}, {name}: of the most covered fifth of x", fifths.max(), 0.85, 0.95)
    by_class: dict[str, list] = {"out of bag": [], "calibration": []}
    for seed in range(5):
        (X, y), (X_new, y_new) = draw_target("classes", 4000, 500 + seed), draw_target("classes", 8000, 600 + seed)
        forest = ForestClassifier(random_state=seed).fit(X, y)
        boosting = BoostingClassifier(random_state=seed).fit(X[:2000], y[:2000])
        results = {
            "out of bag": confidence(forest, X_new),
            "calibration": confidence(boosting, X_new, calibration=(X[2000:], y[2000:])),
        }
        for name, result in results.items():
            by_class[name].append(result.coverage(y_new, by=y_new)["coverage"])
    for name, coverage in by_class.items():
        for label, share in pd.concat(coverage, axis=1).mean(axis=1).items():
            yield Claim(f"classes, {name}: coverage of {label}", share, 0.85, 0.95)


def judge_tables() -> Iterator[Claim]:
    """Columns of real tables that are called weak or none although a refit without them is worse."""
    for table in ("adult", "house-prices"):
        denied, contradictions = check_table(table)
        names = f" ({', '.join(denied)})" if denied else ""
        yield Claim(f"{table}: columns that matter called weak or none{names}", len(denied), 0, 0, "{:.0f}")
        yield Claim(f"{table}: contradictions on the page", contradictions, 0, 0, "{:.0f}")


PARTS: dict[str, Callable[[], Iterator[Claim]]] = {
    "importance": judge_importance,
    "shift": judge_shift,
    "dropping": judge_dropping,
    "leakage": judge_leakage,
    "coverage": judge_coverage,
    "tables": judge_tables,
}
TITLES = {
    "importance": f"Verdicts on the columns of {N_PROBLEMS} problems (15 columns, of which 5 matter)",
    "shift": "Shift between two tables (6 columns of numbers, labels and dates)",
    "dropping": "`drop_and_compare` on columns of noise (300 draws)",
    "leakage": "Target leakage",
    "coverage": "Coverage of 90% intervals and sets (means of 5 draws)",
    "tables": "Real tables",
}

if __name__ == "__main__":
    sys.exit(main())

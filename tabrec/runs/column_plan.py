"""`plan_columns`: how `train` treats each column of a table, and why."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pandas as pd
from sklearn.utils._param_validation import StrOptions, validate_params

from tabrec.ensemble.members import purpose_of
from tabrec.preprocess import TabularPreprocessor, column_kinds
from tabrec.runs.table_target import TASKS, check_time_column, read_target, read_task
from tabrec.runs.trials import MODELS, make_estimator, preprocessor_options
from tabrec.tables.missing_marks import quoted
from tabrec.tables.names import check_has_column

# Models that encode columns differently; boosting encodes them as a forest does.
_READERS = ("forest", "net")


@validate_params(
    {
        "frame": [pd.DataFrame],
        "target": [str, None],
        "model": [StrOptions(set(MODELS))],
        "drop": ["array-like"],
        "categorical": ["array-like"],
        "task": [StrOptions(set(TASKS))],
        "log_target": ["boolean"],
        "time_column": [str, None],
        "date_format": [str, None],
    },
    prefer_skip_nested_validation=False,
)
def plan_columns(
    frame: pd.DataFrame,
    target: str | None = None,
    *,
    model: str = "forest",
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    task: str = "auto",
    log_target: bool = False,
    time_column: str | None = None,
    date_format: str | None = None,
) -> pd.DataFrame:
    """Describe how `train` treats each column of a table, and why.

    Parameters
    ----------
    frame : pandas.DataFrame
        Raw table.
    target : str, default=None
        Column to predict, if it is in the table.
    model : {"forest", "boosting", "net", "ensemble", "all"}, default="forest"
        The kind of model. For "ensemble" and "all", a reason also names the treatment by a net where it differs.
    drop : sequence of str, default=()
        Columns to leave out.
    categorical : sequence of str, default=()
        Columns to encode as categories, even if they hold numbers.
    task : {"auto", "regression", "classification"}, default="auto"
        Whether the target is a number or a class; "auto" infers it.
    log_target : bool, default=False
        Whether the logarithm of the target is learned.
    time_column : str, default=None
        Column of dates that `date_format` refers to.
    date_format : str, default=None
        Format of the time column, such as "%d/%m/%Y".

    Returns
    -------
    pandas.DataFrame
        One row per column, indexed by its name: ``kind``, which is "continuous", "categorical", "date", "dropped" or
        "target"; ``n_unique``, the number of distinct values; ``missing``, the share of missing rows; ``example``; and
        ``reason``.

    Raises
    ------
    ValueError
        A column that is named is not in the table, the target does not suit the task, or the dates do not have the
        format.

    See Also
    --------
    train : Train a model on a table.
    tabrec.column_kinds : The kinds that the columns of a table suggest, without a model.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.runs import plan_columns
    >>> sales = pd.DataFrame({"price": [9.5, 14.0, 8.0], "size": ["S", None, "L"], "tax": ["1,5", "2,0", "3,5"]})
    >>> plan = plan_columns(sales, "price")
    >>> plan["kind"].tolist()
    ['target', 'categorical', 'continuous']
    >>> plan["reason"]["tax"]
    "text that is numbers (decimal ',')"
    """
    if target is not None:
        check_has_column(target, frame.columns, "target")
    check_time_column(time_column, date_format, frame.columns)
    X = frame if target is None else frame.drop(columns=target)
    options = preprocessor_options(drop, categorical, time_column, date_format)
    plan = column_kinds(frame).rename(columns={"kind": "look"})
    first, *others = _READERS if model in ("ensemble", "all") else (model,)
    chosen = _read(X, first, options)
    for other in others:
        for name, (kind, reason) in _read(X, other, options).items():
            if kind != chosen[name][0]:
                chosen[name] = chosen[name][0], f"{chosen[name][1]}; for the {other} {kind}: {reason}"
    if target is not None:
        y = read_target(frame[target], task)
        task = read_task(y, task, log_target)
        n_classes = f" of {plan.loc[target, 'n_unique']} classes" if task == "classification" else ""
        chosen[target] = "target", f"{task}{n_classes}{' of its logarithm' * log_target}"
    described = [_with_advice(*chosen[name], plan.loc[name]) for name in frame.columns]
    plan["kind"], plan["reason"] = [kind for kind, _ in described], [reason for _, reason in described]
    return plan[["kind", "n_unique", "missing", "example", "reason"]]


def _read(X: pd.DataFrame, model: str, options: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the kind of each column and the reason, from a preprocessor fitted to the table."""
    encoder = TabularPreprocessor(purpose_of(model), **options)
    with warnings.catch_warnings(action="ignore"):  # the reasons contain the same information as the warnings
        encoder.fit(X)
    most_levels = getattr(make_estimator(model, "regression", {}, None, 0), "high_cardinality", None)
    plan = {name: (kind, _reason(encoder, X[name], name, kind, most_levels)) for name, kind in encoder.kinds_.items()}
    for name, date_format in X.attrs.get("date_formats", {}).items():
        if plan.get(name, ("",))[0] == "date":
            plan[name] = "date", f"read by the format {date_format}; {plan[name][1]}"
    return plan


def _reason(encoder: TabularPreprocessor, column: pd.Series, name: str, kind: str, most_levels: int | None) -> str:
    if kind == "dropped":
        named = name in (encoder.drop_columns or [])
        return "named in drop" if named else "a column without a name that counts rows"
    if kind == "date":
        return _date_reason(encoder, name)
    if kind == "categorical":
        n_labels = len(encoder.categories_[name]) - 1
        few = f"whole numbers of at most {encoder.max_card or 20} values, " if _is_number(column) else ""
        given = "named in categorical, " if name in (encoder.categorical_columns or []) else few
        by_mean = f", more than {most_levels}: by their mean target" if most_levels and n_labels > most_levels else ""
        gaps = "; gaps are a label of their own" if column.isna().any() else ""
        return f"{given}{n_labels:,} label{'s' * (n_labels != 1)}{by_mean}{gaps}"
    if column.isna().all():
        return "no values"
    reasons = [_number_reason(encoder, column, name)]
    # Marks of missing values count as missing, so the fitted indicator decides.
    if f"{name}_na" in encoder.get_feature_names_out():
        reasons.append(f"gaps become the median {encoder.fill_missing_.fill_values_[name]:,.6g}, with a flag")
    return "; ".join(reasons)


def _number_reason(encoder: TabularPreprocessor, column: pd.Series, name: str) -> str:
    written = encoder.number_formats_.get(name)
    if written is None:
        return "numbers"
    details = [written.unit] if written.unit else []
    details += [f"decimal {written.decimal!r}"] if written.decimal != "." else []
    details += [f"{quoted(written.marks)} as missing"] if written.marks else []
    return "text that is numbers" + f" ({', '.join(details)})" * bool(details)


def _date_reason(encoder: TabularPreprocessor, name: str) -> str:
    written = encoder.date_parts_.formats_[name]
    marks = encoder.date_marks_.get(name)
    parts = encoder.date_parts_.parts_[name]
    text = "dates" if written is None else f"text that is dates ({written})"
    missing = f", {quoted(marks)} as missing" if marks else ""
    return f"{text}{missing}; become {len(parts)} numbers: {parts[0]}, …, {parts[-1]}"


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _with_advice(kind: str, reason: str, described: pd.Series) -> tuple[str, str]:
    """Add advice if a column may be useless, such as one of ids."""
    if kind in ("target", "dropped"):
        return kind, reason
    if described["look"] == "id":
        return kind, f"{reason}; looks like an id, which drop leaves out"
    if described["look"] == "constant":
        return kind, f"{reason}; constant"
    return kind, reason

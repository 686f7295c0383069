"""Rewrite messages of Python functions for the command line: parameters become options."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

# Options whose name differs from that of the preprocessor's parameter.
_ALIASES = {"drop_columns": "--drop", "categorical_columns": "--categorical", "date_columns": "--date"}
_QUOTED = r"'((?:[^'\\]|\\.)*)'"
# Regular expressions of advice for Python, and the advice for the command line.
_ADVICE = {
    rf"[Pp]ass the format, as in (?:date_columns=|DateParts\(columns=)\{{{_QUOTED}: {_QUOTED}\}}"
    r"(?:\), or convert the column .*?\))?": r"Give its format: --date '\1=\2'",
    "Pass date_columns with the format of a column": "Give the format of a column, --date COLUMN=FORMAT,",
    "continuous_columns or (?=categorical_columns)": "",
    "List it in continuous_columns to read these as missing, or in": "Pass --missing to read these as missing, or",
    r", or pass add_indicator=False": "",
    r", as with \.str\.strip\(\)\.str\.lower\(\),": "",
    r", pass X_val and y_val, or set early_stopping=False": "",
    "Lower batch_size, layers or n_members, or set ": "Use fewer rows or columns, or ",
    r": lower it \(find_learning_rate suggests one\).*?limits them\.": (
        ". Look for extreme numbers in the table, or use --model boosting."
    ),
    "use EASE, ImplicitALS, BPR or ItemKNN": "use `tabrec rank`",
    "To rank, use ImplicitALS or EASE; .*": "To rank, use `tabrec rank`.",
    r"use (ImplicitALS) or (ItemKNN)": "use --model als or knn",
    r"name two of them by user= and item=\. If X is a matrix .*": "name two of them by --user and --item.",
    r", as in frame\.explode\(.*?\)": "",
    r"All ratings in y\b": "All ratings",
    r"The values in y\b": "The ratings",
    r"\bX has (?=\d+ columns)": "The table has ",
    "try_dropping shows the value of each": "leave them out with --drop",
    "drop_unimportant refits without them and reports the change in score": (
        "Train without them, with --drop, and compare the scores"
    ),
    "Drop the column if these are ids of rows": "Leave the column out with --drop if these are ids of rows",
    "drop_and_compare": "--drop",
    r"coverage\(y\)": "coverage",
    r"\(model all of `tabrec rank`, or compare_recommenders\)": "(`tabrec rank --model all`)",
    ", or set patience, which keeps the weights of the best epoch": "",
    r" \(user_features, item_features\)": "",
}


def name_options(message: str, commands: Iterable[Any]) -> str:
    """Replace parameters by options, as ``metric='auc'`` by ``--metric 'auc'``."""
    options = dict(_ALIASES)
    for command in commands:
        for parameter in command.params:
            if parameter.opts[0].startswith("--"):
                options.setdefault(parameter.name, parameter.opts[0])
    names = "|".join(map(re.escape, options))
    # The parameter has the same name as the option.
    message = re.sub(r" \(([^(]*? in Python|in Python: ([^()]|\([^()]*\))*)\)", "", message)
    for pattern, advice in _ADVICE.items():
        message = re.sub(pattern, advice, message)
    message = re.sub(rf"The '({names})' parameter of \w+ must", lambda found: f"{options[found[1]]} must", message)
    # A flag has no value; a word without an underscore is a parameter only before "=".
    pattern = rf"(?<![\w'\"-])({names})(=True\b|=(?=\S)|(?=[^\w=]|$))"

    def replace(found: re.Match) -> str:
        if not found[2] and "_" not in found[1]:
            return found[0]
        return options[found[1]] + (" " if found[2] == "=" else "")

    return re.sub(pattern, replace, message)

"""Errors of Python functions in the words of the command line: parameters become options."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

# Parameters of the preprocessor that options of other names set.
_ALIASES = {"drop_columns": "--drop", "categorical_columns": "--categorical", "date_columns": "--date-format"}


def name_options(message: str, commands: Iterable[Any]) -> str:
    """The message, with ``metric='auc'`` as ``--metric 'auc'`` and ``time_column`` as ``--time-column``."""
    options = dict(_ALIASES)
    for command in commands:
        for parameter in command.params:
            if parameter.opts[0].startswith("--"):
                options.setdefault(parameter.name, parameter.opts[0])
    names = "|".join(map(re.escape, options))
    # The same as an argument of the function.
    message = re.sub(r" \(([^(]*? in Python|in Python: ([^()]|\([^()]*\))*)\)", "", message)
    message = re.sub(rf"The '({names})' parameter of \w+ must", lambda found: f"{options[found[1]]} must", message)
    # A flag has no value; words without an underscore are parameters only before "=".
    pattern = rf"(?<![\w'\"-])({names})(=True\b|=(?=\S)|(?=[^\w=]|$))"

    def replace(found: re.Match) -> str:
        if not found[2] and "_" not in found[1]:
            return found[0]
        return options[found[1]] + (" " if found[2] == "=" else "")

    return re.sub(pattern, replace, message)

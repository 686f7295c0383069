"""`model_card`: the records of a saved model or run, as Markdown."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tabrec.runs.run import MODEL_FOLDER, Run
from tabrec.runs.scores import ROW_NAMES, metric_name
from tabrec.saving import load, load_header

_PAIRS = ("ratings", "interactions")
_MOST_COLUMNS = 200
_MOST_LABELS = 5
_PURPOSE = "Not recorded. Describe who uses the predictions, and for which decisions."


def model_card(path: str | os.PathLike) -> str:
    """Describe a saved model by the records in its folder, as Markdown.

    The card names the data and their digest, the columns and how they are read, the rows held out, the scores and the
    rows that they are of, and the versions. It claims nothing that is not in the folder: the intended use is left open.

    Parameters
    ----------
    path : str or path-like
        A folder that `tabrec.save`, `tabrec.runs.Run.save` or the command line made.

    Returns
    -------
    str
        The text of the card. ``tabrec card RUN -o README.md`` writes it to a file.

    Raises
    ------
    FileNotFoundError
        The folder does not exist or holds neither a model nor a run.
    ValueError
        The folder is incomplete or damaged.

    See Also
    --------
    tabrec.save : Save a model.
    tabrec.load : Load a saved model.
    tabrec.interpret.report : A page that explains a model.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import tabrec
    >>> from tabrec.datasets import make_auctions
    >>> auctions = make_auctions(300, random_state=0)[["SalePrice", "YearMade", "state"]]
    >>> run = tabrec.runs.train(auctions, "SalePrice", log_target=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     card = tabrec.model_card(run.save(Path(folder) / "prices"))
    >>> print(card.partition("##")[0].strip())
    # prices
    <BLANKLINE>
    A ForestRegressor that predicts the number `SalePrice` from 2 columns.
    """
    path = Path(path)
    is_run = (path / MODEL_FOLDER).is_dir()
    header = load_header(path / MODEL_FOLDER if is_run else path)
    metadata = header["metadata"]
    if is_run:
        run = Run.open(path)
        model, metrics = run.model, run.metrics
    else:
        model, metrics = load(path), {}
    sections = {
        "Model": _describe_model(model, metadata),
        "Data": _describe_data(metadata),
        "Columns": _describe_columns(model, header["schema"]),
        "Rows held out": _describe_split(metadata),
        "Scores": _describe_scores(metadata, metrics),
        "Intended use": [_PURPOSE],
        "Limits": _describe_limits(model, metadata),
        "Versions": [", ".join(f"{name} {version}" for name, version in header["versions"].items()) + "."],
    }
    parts = [f"# {_escape(path.resolve().name)}", _summarise(model, metadata, header["schema"])]
    for title, paragraphs in sections.items():
        if paragraphs:
            parts += [f"## {title}", *paragraphs]
    return "\n\n".join(parts) + "\n"


def _summarise(model: Any, metadata: dict, schema: dict) -> str:
    name = type(model).__name__
    article = "An" if name[0] in "AEIO" else "A"
    if "target" in metadata:
        what = "number" if metadata["task"] == "regression" else "class"
        return (
            f"{article} {name} that predicts the {what} {_code(metadata['target'])} from {schema['n_features']} "
            f"column{'s' * (schema['n_features'] != 1)}."
        )
    if "rating" in metadata:
        user, item, rating = (_code(metadata[role]) for role in ("user", "item", "rating"))
        return f"{article} {name} that predicts {rating} of {item} by {user} and recommends."
    if "interactions" in metadata:
        user, item = (_code(metadata[role]) for role in ("user", "item"))
        return f"{article} {name} that learned which {item} each {user} chose, and recommends."
    return f"{article} {name}. The folder records neither its target nor its rows."


def _describe_model(model: Any, metadata: dict) -> list[str]:
    facts = {"class": _code(type(model).__name__)}
    defaults = {name: parameter.default for name, parameter in inspect.signature(type(model)).parameters.items()}
    set_by_user = {
        name: value
        for name, value in model.get_params(deep=False).items()
        if isinstance(value, (bool, int, float, str)) and value != defaults.get(name)
    }
    if set_by_user:
        facts["parameters"] = ", ".join(_code(f"{name}={value!r}") for name, value in set_by_user.items())
    if metadata.get("log_target"):
        facts["target"] = "its natural logarithm is learned; predictions are in its own units"
    classes = getattr(model, "classes_", None)
    if classes is not None:
        shown = [_code(label) for label in list(classes)[:_MOST_LABELS]]
        facts["classes"] = f"{len(classes)}: {', '.join(shown)}{', …' * (len(classes) > len(shown))}"
    if "fit_seconds" in metadata:
        facts["time to fit"] = f"{metadata['fit_seconds']:.1f} s"
    return [_table(["", ""], facts.items())]


def _describe_data(metadata: dict) -> list[str]:
    facts: dict[str, str] = {}
    table = metadata.get("table", {})
    if "path" in table:
        facts |= {"file": _code(Path(table["path"]).name), "SHA-256": _code(table["digest"])}
    facts |= {key: f"{sum(metadata[key].values()):,}" for key in ("rows", *_PAIRS) if key in metadata}
    facts |= {role: f"{metadata[role]:,}" for role in ("users", "items") if role in metadata}
    return [_table(["", ""], facts.items())] if facts else []


def _describe_columns(model: Any, schema: dict) -> list[str]:
    preprocessor = getattr(_first_member(model), "preprocessor_", None)
    kinds = getattr(preprocessor, "kinds_", None)
    names = list(kinds or schema["columns"] or [])
    if not names:
        return []
    rows: list[Sequence[str]] = [(_code(name),) for name in names[:_MOST_COLUMNS]]
    header = ["column"]
    if kinds:
        header += ["kind", "learned as"]
        rows = [(_code(name), kinds[name], _read_as(preprocessor, name)) for name in names[:_MOST_COLUMNS]]
    left = len(names) - len(rows)
    return [_table(header, rows), *([f"{left:,} more columns are not listed."] if left else [])]


def _first_member(model: Any) -> Any:
    """Return the model, or the first member of an ensemble, as all members read columns alike."""
    return model if hasattr(model, "preprocessor_") else getattr(model, "estimators_", [model])[0]


def _read_as(preprocessor: Any, name: str) -> str:
    if name in preprocessor.categories_:
        labels = preprocessor.categories_[name][1:]
        shown = ", ".join(_code(label) for label in labels[:_MOST_LABELS])
        return f"{len(labels):,} labels: {shown}{', …' * (len(labels) > _MOST_LABELS)}"
    return ", ".join(_code(output) for output in preprocessor.input_to_outputs_.get(name, []))


def _describe_split(metadata: dict) -> list[str]:
    what = _what_rows_are(metadata)
    rows = metadata.get(what)
    if rows is None:
        return []
    time_column, seed = metadata.get("time_column"), metadata.get("random_state")
    if time_column is None:
        how = f"a random fifth (seed {seed})"
    elif metadata.get("valid_from"):
        how = f"those from {metadata['valid_from']} on, by {_code(time_column)}"
    else:
        how = f"the latest fifth, by {_code(time_column)}"
    texts = [f"{rows['validation']:,} of {sum(rows.values()):,} {what} were held out: {how}."]
    if metadata.get("cv"):
        texts.append(f"The other rows were divided into {metadata['cv']} random folds.")
    if metadata.get("cv_time"):
        texts.append(f"The other rows were divided into {metadata['cv_time']} folds in the order of time.")
    return texts


def _describe_scores(metadata: dict, metrics: dict) -> list[str]:
    if not metrics:
        return []
    what = _what_rows_are(metadata)
    rows = metadata[what]
    counts = {"train": rows["train"], "oob": rows["train"], "baseline": rows["validation"]} | rows
    names = list(dict.fromkeys(name for scores in metrics.values() for name in scores if name[:2] != "n_"))
    is_table = "rows" in metadata
    lines = []
    for split, scores in metrics.items():
        values = [f"{scores[name]:.4f}" if name in scores else "" for name in names]
        count = counts.get(split, rows["train"]) if is_table else rows["validation"]
        lines.append([ROW_NAMES.get(split, split), f"{count:,}", *values])
    table = _table([what if is_table else "model", f"number of {what}", *map(metric_name, names)], lines)
    fitted = f"The scores are those of a model fitted to the {rows['train']:,} training {what}."
    if metadata.get("refit", not is_table):
        fitted += f" The saved model was then fitted to all {sum(rows.values()):,} {what}; it has no scores of its own."
    return [fitted, table]


def _what_rows_are(metadata: dict) -> str:
    """Return "ratings", "interactions" or "rows": the key of their numbers in the metadata, and the word in text."""
    return next((key for key in _PAIRS if key in metadata), "rows")


def _describe_limits(model: Any, metadata: dict) -> list[str]:
    limits = []
    is_recommender = any(key in metadata for key in _PAIRS)
    if "target" in metadata or is_recommender:
        if metadata.get("time_column") is None:
            limits.append("The scores are of a random sample: on rows that are later, errors may be larger.")
        else:
            limits.append("The scores are of the latest rows held out; later ones may differ more.")
    if is_recommender:
        limits.append(f"A user without {_what_rows_are(metadata)} gets the recommendations of any new user.")
    elif hasattr(_first_member(model), "preprocessor_"):
        limits.append("A label that was not seen in fit is treated as missing.")
    return ["\n".join(f"- {limit}" for limit in [*limits, "Other limits of its use are not recorded."])]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escape(text: Any) -> str:
    """Return text without markup, on one line."""
    one_line = " ".join(str(text).split())
    return "".join(f"\\{character}" if character in "\\`*_|<>#[]" else character for character in one_line)


def _code(text: Any) -> str:
    """Format text as inline code, with more backticks than any in the text and escaped cell borders."""
    one_line = " ".join(str(text).split()).replace("|", "\\|")
    fence = "``" if "`" in one_line else "`"
    pad = " " if "`" in one_line else ""
    return f"{fence}{pad}{one_line}{pad}{fence}"

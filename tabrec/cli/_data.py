"""The commands for public data: download, submit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tabrec.cli._catalogue import DATASETS
from tabrec.cli._completion import SOURCES, one_of
from tabrec.cli._options import argument, option
from tabrec.cli._printing import console, errors, escape, print_datasets, say, stage

_Folder = Annotated[
    Path | None,
    option("FOLDER", "Folder that holds one folder for each data set.", "$TABREC_DATA_DIR, or ~/.cache/tabrec"),
]


def download(
    name: Annotated[
        str | None,
        argument(
            "NAME",
            "A name from the list, or kaggle:COMPETITION for any other Kaggle competition.",
            show_default="the list",
            autocompletion=one_of(SOURCES),
        ),
    ] = None,
    data_dir: _Folder = None,
    show_list: Annotated[bool, option("", "List the data sets without downloading.", True, "--list")] = False,
) -> None:
    """Download a data set, unless it exists already; without a name, list the data sets.

    Example:
      tabrec download movielens-100k

    Kaggle requires a token and accepted rules; the error explains how to get them.
    """
    if name is None or show_list:
        _list(data_dir)
        return
    with stage("Starting"):
        from tabrec.datasets import fetch_dataset

    folder = fetch_dataset(name, data_dir, verbose=errors.is_terminal)
    say(f"{escape(name)} is in {escape(folder)}.")


def submit(
    competition: Annotated[str, argument("COMPETITION", "Its name in the address of its page.")],
    file: Annotated[Path, argument("FILE", "A CSV of predictions.")],
    message: Annotated[str, option("TEXT", "Description of the submission.", False, "--message", "-m")],
    sample: Annotated[
        Path | None, option("CSV", "The sample submission.", "the one in the files of the competition")
    ] = None,
    data_dir: _Folder = None,
) -> None:
    """Check predictions against the sample submission of a Kaggle competition, and submit them.

    Example:
      tabrec submit house-prices-advanced-regression-techniques \\
        submission.csv --message "forest and net"

    A file that does not have the form of the sample is not submitted.
    """
    with stage("Starting"):
        from tabrec.datasets import submit_kaggle

    say(escape(submit_kaggle(competition, file, message, sample=sample, data_dir=data_dir)))


def _list(data_dir: Path | None) -> None:
    with stage("Starting"):
        from tabrec.datasets import DATASETS as NAMED
        from tabrec.datasets.places import places_to_look

    rows = []
    for name, what in NAMED.items():
        listed = DATASETS[name]
        here = any((place / listed.file).is_file() for place in places_to_look(data_dir))
        rows.append((name, what, listed.size, "yes" if here else ""))
    print_datasets(rows)
    console.print("Next: tabrec download NAME.")

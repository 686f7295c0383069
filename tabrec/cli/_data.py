"""The commands for other people's data: download, submit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabrec.cli._catalogue import DATASETS
from tabrec.cli._completion import SOURCES, one_of
from tabrec.cli._printing import console, errors, escape, print_datasets, say

_Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where each data set has a folder of its own.",
        show_default="$TABREC_DATA_DIR, or ~/.cache/tabrec",
    ),
]


def download(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="One of the list, or kaggle:COMPETITION for any other of Kaggle's.",
            show_default="the list",
            autocompletion=one_of(SOURCES),
        ),
    ] = None,
    data_dir: _Folder = None,
    show_list: Annotated[bool, typer.Option("--list", help="List what there is, and download nothing.")] = False,
) -> None:
    """Download a data set, unless it is there already; without a name, list what there is.

    Example:
      tabrec download movielens-100k

    Kaggle's need your token, and its rules accepted: the error says how.
    """
    if name is None or show_list:
        _list(data_dir)
        return
    from tabrec.datasets import fetch_dataset

    folder = fetch_dataset(name, data_dir, verbose=errors.is_terminal)
    say(f"{escape(name)} is in {escape(folder)}.")


def submit(
    competition: Annotated[
        str, typer.Argument(metavar="COMPETITION", help="The name in the address of its page.", show_default=False)
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV of predictions.", show_default=False)],
    message: Annotated[
        str, typer.Option("--message", "-m", metavar="TEXT", help="What to remember it by.", show_default=False)
    ],
    sample: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="The sample submission.", show_default="the one among the competition's files"
        ),
    ] = None,
    data_dir: _Folder = None,
) -> None:
    """Check predictions against the sample submission of a Kaggle competition, and send them.

    Example:
      tabrec submit house-prices-advanced-regression-techniques \\
        submission.csv --message "forest and net"

    Nothing is sent that does not have the form of the sample.
    """
    from tabrec.datasets import submit_kaggle

    say(escape(submit_kaggle(competition, file, message, sample=sample, data_dir=data_dir)))


def _list(data_dir: Path | None) -> None:
    from tabrec.datasets import DATASETS as NAMED
    from tabrec.datasets.places import places_to_look

    rows = []
    for name, what in NAMED.items():
        listed = DATASETS[name]
        here = any((place / listed.file).is_file() for place in places_to_look(data_dir))
        rows.append((name, what, listed.size, "yes" if here else ""))
    print_datasets(rows)
    console.print("Next: tabrec download NAME.")

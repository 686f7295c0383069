"""`train` and `predict` with ``--on``: process a folder of files in chunks, locally or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from tabrec.cli._options import option
from tabrec.cli._printing import escape, print_kinds, print_scores, say, stage

_PANEL = "Tables larger than memory"
On = Annotated[
    str | None,
    option(
        "WHERE",
        "Read TABLE in chunks: files (here), ray (workers on this machine), or ray://HOST:PORT.",
        False,
        "--on",
        rich_help_panel=_PANEL,
    ),
]
Workers = Annotated[
    int | None,
    option("N", "Workers of --on ray.", "one for each processor", "--workers", min=1, rich_help_panel=_PANEL),
]
Memory = Annotated[
    str | None,
    option("SIZE", "Memory of the rows of a model, with --on.", "2GB", "--memory", rich_help_panel=_PANEL),
]


def check_chunk_options(on: str | None, workers: int | None, memory: str | None, others: dict[str, Any]) -> None:
    """Raise a ValueError for options of chunks without ``--on``, and for options that chunks do not support."""
    if on is None:
        given = [name for name, value in (("--workers", workers), ("--memory", memory)) if value is not None]
        if given:
            raise ValueError(f"{given[0]} requires --on, as in --on ray.")
        return
    if on not in ("files", "ray") and not on.startswith("ray://"):
        raise ValueError(f"--on {on} must be files, ray, or the address of a head, such as ray://10.0.0.5:10001.")
    if on == "files" and workers is not None:
        raise ValueError("--workers requires --on ray: --on files reads in one process.")
    given = [name for name, value in others.items() if value not in (None, False, (), [])]
    if given:
        raise ValueError(f"{given[0]} is for tables in memory: leave it out, or leave out --on.")


def task_of(chunks: Any, target: str) -> str:
    """Return the task of a target, "classification" or "regression", judged by its first rows."""
    from tabrec.runs.table_target import read_task
    from tabrec.tables.names import check_has_column

    check_has_column(target, chunks.schema, "target")
    return read_task(chunks.select([target]).head(10_000)[target], "auto", False)


@contextmanager
def opened(table: Path | None, on: str, workers: int | None, memory: str | None) -> Iterator[Any]:
    """Yield the table in chunks; a cluster that was started for it is stopped at the end."""
    if table is None or str(table) == "-":
        raise ValueError("--on reads a folder, a file or a quoted pattern: name it as TABLE.")
    with stage("Starting"):
        from tabrec.scale import FileChunks, RayChunks, cluster

    files = FileChunks(table, memory=memory or "2GB")  # checks the files before a cluster is started
    if on == "files":
        yield files
        return
    with stage(f"Connecting to {on}"):
        connection = cluster(on, workers=workers)
        ray = connection.__enter__()
    try:
        with stage(f"Reading {table}"):
            chunks = RayChunks.of_files(files)
        say(f"{chunks.n_rows:,} rows on {int(ray.cluster_resources().get('CPU', 1))} processors of Ray.")
        yield chunks
    finally:
        connection.__exit__(None, None, None)


def train_in_chunks(
    table: Path | None, out: Path, on: str, workers: int | None, memory: str | None, force: bool, **options: Any
) -> None:
    """Train on chunks, save the run and print its scores."""
    from tabrec.runs import train_on_chunks

    with opened(table, on, workers, memory) as chunks:
        with stage(f"Training on {chunks.count_rows():,} rows"):
            run = train_on_chunks(chunks, **options)
        run.metadata["table"] = {"reading": {}}
        run.save(out, overwrite=force)
    print_kinds(run.preprocessor.kinds_)
    print_scores(run)
    say(f"The run is in {escape(out)}: model/, metrics.json, predictions.csv.")


def predict_in_chunks(
    run: Any, table: Path | None, out: Path, on: str, workers: int | None, memory: str | None, force: bool, how: dict
) -> None:
    """Write the predictions of chunks as parquet."""
    if out.suffix not in (".parquet", ".pq"):
        raise ValueError(f"--out {out} must end in .parquet with --on.")
    id_column = how["id_column"]

    def compute(frame: Any) -> Any:
        predicted = run.predict(frame, **how)
        return predicted if id_column else predicted.drop(columns="row")

    with opened(table, on, workers, memory) as chunks:
        with stage("Predicting"):
            chunks.apply(compute).to_parquet(out, overwrite=force)
        n_rows = chunks.count_rows()
    say(f"{n_rows:,} predictions of {escape(run.metadata['target'])} are in {escape(out)}.")

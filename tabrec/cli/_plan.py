"""The command that estimates a fit on a cluster: plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rich.table import Table as _Table

from tabrec.cli._options import argument, option
from tabrec.cli._printing import console, escape, say, stage


def plan(
    table: Annotated[Path, argument("TABLE", "A folder of parquet or CSV files like the large table.")],
    target: Annotated[str, option("COLUMN", "Column to predict.", False)],
    rows: Annotated[float, option("N", "Rows of the large table, such as 1e9.", False)],
    nodes: Annotated[int, option("N", "Number of machines.", min=1)] = 1,
    cores: Annotated[int, option("N", "Processors of each machine.", min=1)] = 16,
    trees: Annotated[int, option("N", "Trees of the forest.", min=1)] = 100,
    memory: Annotated[str, option("SIZE", "Memory of the rows of the model.")] = "2GB",
    network: Annotated[str, option("SIZE", "Bytes a second that a machine sends or receives.")] = "1GB",
    disk: Annotated[str, option("SIZE", "Bytes a second that a machine reads.")] = "500MB",
) -> None:
    """Estimate time, memory and bytes of a forest on a cluster.

    Example:
      tabrec plan sales/ --target SalePrice --rows 1e9 --nodes 100

    Rates are measured on 50,000 rows here. Next: tabrec train --on ray.
    """
    with stage("Starting"):
        from tabrec.cli._chunks import task_of
        from tabrec.scale import FileChunks
        from tabrec.scale import plan as plan_fit
        from tabrec.trees import ForestClassifier, ForestRegressor

    chunks = FileChunks(table, memory=memory)
    make = ForestClassifier if task_of(chunks, target) == "classification" else ForestRegressor
    with stage("Measuring"):
        planned = plan_fit(
            chunks, target, make(trees), n_rows=int(rows), n_nodes=nodes, n_cores=cores, network=network, disk=disk
        )
    shown = _Table()
    for name in ("stage", "seconds", "workers", "network", "caller", "read", "sent", "worker memory", "caller memory"):
        shown.add_column(name, justify="left" if name == "stage" else "right")
    for row in planned.stages.to_dict("records"):
        seconds = [f"{row[name]:,.1f}" for name in ("seconds", "workers", "network", "caller")]
        sizes = [_size(row[name]) for name in ("read_bytes", "sent_bytes", "worker_memory", "caller_memory")]
        shown.add_row(row["stage"], *seconds, *sizes)
    console.print(shown)
    say(f"{planned.stages['seconds'].sum():,.0f} s in all; limited by {escape(planned.limiting)}.")
    for assumption in planned.assumptions:
        say(f"- {escape(assumption)}")


def _size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.1f} TB"

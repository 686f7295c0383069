"""Volumes of a plan beside those that a simulated cluster sends: `tabrec.scale.plan` on generated auctions.

    python benchmarks/scale_plan.py

A table in memory stands for a cluster: each part is learned from on its own, and what a task takes and returns is
pickled and counted, as Ray sends it. The plan is made for the same number of rows and parts, on as many machines as
there are parts, so that each broadcast is sent once to a part. Growing volumes show how they scale.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from _timing import describe_machine, markdown_table, note

from tabrec import ForestRegressor
from tabrec.datasets import make_auctions
from tabrec.scale import FrameChunks, plan

_STAGES = {"columns": ("_survey",), "encoding": ("_learn_part_from",), "draw": ("_draw_part",)}


class SimulatedCluster(FrameChunks):
    """Parts of a table whose tasks are pickled and counted."""

    sent: dict[str, float]

    def map_parts(self, function: Callable[[Any, int], Any]) -> Iterator[Any]:
        name = getattr(function, "func", function).__name__
        stage = next(stage for stage, names in _STAGES.items() if name in names)
        start, broadcast = 0, len(pickle.dumps(function))
        for frame in self:
            result = pickle.dumps(function(FrameChunks([frame]), start))
            self.sent[stage] = self.sent.get(stage, 0) + broadcast + len(result)
            start += len(frame)
            yield pickle.loads(result)

    def drop(self, columns: Any) -> SimulatedCluster:
        return self._with([frame.drop(columns=list(columns)) for frame in self])

    def select(self, columns: Any) -> SimulatedCluster:
        return self._with([frame[list(columns)] for frame in self])

    def _with(self, frames: list[Any]) -> SimulatedCluster:
        other = SimulatedCluster(frames, memory=self.memory)
        other.sent = self.sent
        return other


def compare(n_parts: int, part_rows: int) -> list[list[str]]:
    """Planned and counted volumes of the stages that send statistics and rows."""
    frames = [make_auctions(part_rows, random_state=number) for number in range(n_parts)]
    chunks = SimulatedCluster(frames)
    chunks.sent = {}
    model = ForestRegressor(4, random_state=0, n_jobs=1, oob_score=False)
    model.fit(chunks, "SalePrice")
    planned = plan(chunks, "SalePrice", model, n_rows=n_parts * part_rows, n_nodes=n_parts, n_cores=1)
    by_stage = planned.stages.set_index("stage")["sent_bytes"]
    return [
        [f"{n_parts} × {part_rows:,}", stage, f"{by_stage[stage] / 1e6:,.1f}", f"{counted / 1e6:,.1f}",
         f"{by_stage[stage] / counted:.2f}"]
        for stage, counted in chunks.sent.items()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--part-rows", type=int, nargs="+", default=[5_000, 20_000])
    options = parser.parse_args()
    rows = []
    for n_parts in options.parts:
        for part_rows in options.part_rows:
            rows += compare(n_parts, part_rows)
            note(f"{n_parts} parts of {part_rows:,} rows")
    print(describe_machine())
    print(markdown_table(["parts × rows", "stage", "planned, MB", "counted, MB", "planned ÷ counted"], rows))
    print(f"geometric mean {np.exp(np.mean([np.log(float(row[4])) for row in rows])):.2f}")


if __name__ == "__main__":
    main()

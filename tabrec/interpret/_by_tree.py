"""Work on the trees of a forest, one after the other or in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

from joblib import Parallel, delayed, effective_n_jobs

from tabrec.interpret._models import Trees

_Result = TypeVar("_Result")


def by_tree(trees: Trees, work: Callable[[Any], _Result], in_threads: bool = True) -> Iterator[_Result]:
    """What `work` gives of each tree, in their order, so that sums do not depend on which thread ends first.

    There are as many threads as the forest works with; few results wait to be taken.
    """
    n_jobs = effective_n_jobs(getattr(trees.estimator, "n_jobs", None))
    if n_jobs == 1 or not in_threads:
        yield from map(work, trees.trees)
        return
    tasks = (delayed(work)(tree) for tree in trees.trees)
    with Parallel(n_jobs=n_jobs, require="sharedmem") as parallel:
        while batch := list(islice(tasks, 2 * n_jobs)):
            yield from parallel(batch)

"""`Clock`: measures a time budget, and interrupts work when it is spent."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class OutOfTime(Exception):
    """Raised when the time budget is spent."""


class Clock:
    """Measures a budget in seconds; None sets no limit."""

    def __init__(self, budget: float | None):
        self.budget = budget
        self.reserved = 0.0  # seconds reserved for later work
        self._started = time.perf_counter()

    @property
    def left(self) -> float:
        """Seconds until the end, without those that are reserved."""
        if self.budget is None:
            return float("inf")
        return self._started + self.budget - self.reserved - time.perf_counter()

    def check(self, seconds: float) -> None:
        """Raise `OutOfTime` if work of that many seconds would not end in time."""
        if seconds > self.left:
            raise OutOfTime

    @contextmanager
    def limit(self) -> Iterator[None]:
        """Raise `OutOfTime` in this thread when the budget is spent within the block.

        The exception arrives between two instructions of Python: the loops of nets, forests and boosting stop within a
        batch, a tree or an iteration.
        """
        if self.budget is None:
            yield
            return
        self.check(0)
        thread, lock, is_over = threading.get_ident(), threading.Lock(), False

        def interrupt() -> None:
            with lock:
                if not is_over:
                    _raise_in_thread(thread, OutOfTime)

        timer = threading.Timer(max(self.left, 0.0), interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            with lock:
                is_over = True
            timer.cancel()


def _raise_in_thread(thread: int, error: type[Exception]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))

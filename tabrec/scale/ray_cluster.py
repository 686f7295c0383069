"""Connect to a Ray cluster on this machine or on others, and run tasks in order."""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import joblib

_ADDRESS = re.compile(r"ray://(\[[^\]]+\]|[^:/\s]+)(?::(\d+))?/?")
_PORT = 10001
# Timeouts in seconds: to reach a port, for the head's answer, and for the start of its session.
_TO_REACH, _TO_ANSWER, _TO_START = 5.0, 10.0, 90.0
# Number of results per processor of the cluster that may wait to be read.
_AHEAD = 2
_LOOPBACK = "127.0.0.1"


def import_ray() -> Any:
    """Import Ray; the ImportError says how to install it."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError("This needs Ray: install it with pip install 'tabrec[ray]'.") from error
    return ray


@contextmanager
def cluster(address: str = "ray", *, workers: int | None = None) -> Iterator[Any]:
    """Connect to Ray for the work in a ``with`` block; what was started for it ends with it.

    With the address "ray", a cluster that this process is connected to already is used as it is.

    Parameters
    ----------
    address : str, default="ray"
        "ray" starts a cluster on this machine, whose ports are open to this machine alone and which has no dashboard;
        ``"ray://host:10001"`` connects to the head of another one.
    workers : int, default=None
        Number of workers of one processor that a cluster on this machine has; None takes one for each processor.

    Yields
    ------
    module
        `ray`.

    Raises
    ------
    ImportError
        Ray is not installed.
    ConnectionError
        No head answers at the address within 20 seconds, or one that answers opens no session within 90.
    ValueError
        The address is not one, `workers` is given for it, or this process is connected to another cluster.

    See Also
    --------
    RayChunks : A dataset on a cluster.

    Examples
    --------
    >>> from tabrec.scale import RayChunks, cluster
    >>> with cluster(workers=2) as ray:  # doctest: +SKIP
    ...     sales = RayChunks(ray.data.read_parquet("sales/"))
    ...     forest = ForestRegressor().fit(sales, "log(SalePrice)")
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers={workers} must be at least 1.")
    found = None if address == "ray" else _ADDRESS.fullmatch(address)
    if address != "ray" and found is None:
        raise ValueError(f"{address!r} must be 'ray' or the address of a head, as 'ray://10.0.0.5:10001'.")
    if found and workers is not None:
        raise ValueError(f"workers={workers} is for a cluster on this machine: {address} has its own number.")
    ray = import_ray()
    if ray.is_initialized():
        if found:
            raise ValueError(f"This process is connected to Ray already: call ray.shutdown() to connect to {address}.")
        yield ray
        return
    logging.getLogger("ray").setLevel(logging.ERROR)
    if found:
        _connect(ray, found[1].strip("[]"), int(found[2] or _PORT))
    else:
        ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, _node_ip_address=_LOOPBACK)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def parallel_on_ray(address: str = "ray", *, workers: int | None = None) -> Iterator[Any]:
    """Let joblib run its jobs as tasks of Ray in a ``with`` block, such as the fits of a search of scikit-learn.

    Parameters
    ----------
    address : str, default="ray"
        As for `cluster`.
    workers : int, default=None
        As for `cluster`.

    Yields
    ------
    module
        `ray`.

    Raises
    ------
    ImportError
        Ray is not installed.
    ConnectionError
        No head answers at the address.

    See Also
    --------
    cluster : The connection alone.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from tabrec import ForestRegressor
    >>> from tabrec.scale import parallel_on_ray
    >>> search = GridSearchCV(ForestRegressor(n_jobs=1), {"min_samples_leaf": [1, 5]})
    >>> with parallel_on_ray(workers=2):  # doctest: +SKIP
    ...     search.fit(X, y)
    """
    with cluster(address, workers=workers) as ray:
        from ray.util.joblib import register_ray

        register_ray()
        with joblib.parallel_config("ray", n_jobs=-1):
            yield ray


def _connect(ray: Any, host: str, port: int) -> None:
    """Connect to a head; raises one kind of error for all failures."""
    advice = "check the address, and that `ray start --head --ray-client-server-port=10001` runs there"
    try:
        socket.create_connection((host, port), timeout=_TO_REACH).close()
        _check_speaks_grpc(host, port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConnectionError(f"No head of Ray answers at {host}:{port} ({reason}): {advice}.") from error
    failed: list[BaseException] = []

    def connect() -> None:
        try:
            ray.init(f"ray://{host}:{port}", log_to_driver=False)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_TO_START)
    if thread.is_alive() or failed:
        reason = " ".join(str(failed[0]).split()) if failed else f"nothing in {_TO_START:.0f} s"
        raise ConnectionError(
            f"The head of Ray at {host}:{port} did not start a session ({reason}): set RAY_AUTH_MODE=token and the "
            "token of the cluster, and use the same version of Ray."
        ) from (failed[0] if failed else None)


def _check_speaks_grpc(host: str, port: int) -> None:
    """Raise a TimeoutError if something other than a head listens."""
    try:
        import grpc
    except ImportError as error:
        raise ImportError("The address of a head needs the client of Ray: pip install 'tabrec[ray]'.") from error
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=_TO_ANSWER)
        except grpc.FutureTimeoutError as error:
            raise TimeoutError("it does not answer as Ray does") from error


def in_turn(function: Callable, arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """Yield the results of a function, computed by tasks on the workers, in the order of the arguments."""
    ray, waiting = import_ray(), deque[Any]()
    task = ray.remote(function)
    n_ahead = _AHEAD * max(int(ray.cluster_resources().get("CPU", 1)), 1)
    for given in arguments:
        waiting.append(task.remote(*given))
        if len(waiting) > n_ahead:
            yield ray.get(waiting.popleft())
    while waiting:
        yield ray.get(waiting.popleft())

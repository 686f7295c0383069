"""`RayTrainer`: data-parallel training of a net by workers of Ray."""

from __future__ import annotations

import os
import socket
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from tabrec.neural.shared_training import SharedTrainer
from tabrec.neural.streamed_data import StreamedData
from tabrec.neural.training import Trainer
from tabrec.neural.training_data import TrainingData
from tabrec.scale.ray_cluster import import_ray
from tabrec.tables.messages import warn_caller

_LOOPBACK = "127."


class RayTrainer(Trainer):
    """A training loop that several workers of Ray run together on CPUs.

    Pass it as ``TabularRegressor(trainer=partial(RayTrainer, workers=4))``, within `cluster`. Each worker computes the
    gradients of its share of the rows of every batch, and their mean, exchanged by gloo, updates the weights: batches,
    steps and learning rates are those of one process. Without dropout, masked codes and batch norm, the result is that
    of one process too, up to rounding. All rows are sent to each worker; rows that are read in blocks are read by each.
    If a worker dies, all continue after the last completed epoch.

    Parameters
    ----------
    model, loss, config, device
        As for `Trainer`; the device must be "cpu".
    workers : int, default=2
        Number of workers, each with one processor of the cluster.
    max_failures : int, default=3
        Number of times that the workers are started again after one was lost.
    folder : str, default=None
        Folder for the checkpoints of epochs, which all nodes must be able to read; None uses a temporary folder of this
        machine.

    Attributes
    ----------
    model, loss, config, device
        The parameters.

    Raises
    ------
    ImportError
        Ray is not installed.
    ValueError
        There are callbacks, which would not run in this process, or more workers than processors in the cluster.
    RuntimeError
        Workers were lost more than `max_failures` times.

    See Also
    --------
    cluster : Starts Ray.
    Trainer : Training in this process.

    Examples
    --------
    >>> from functools import partial
    >>> from tabrec import TabularRegressor
    >>> from tabrec.scale import RayTrainer, cluster
    >>> net = TabularRegressor(trainer=partial(RayTrainer, workers=2), device="cpu")
    >>> with cluster(workers=2):  # doctest: +SKIP
    ...     net.fit(X, y)
    """

    def __init__(
        self,
        model: Any,
        loss: Any,
        config: Any,
        device: Any = "cpu",
        *,
        workers: int = 2,
        max_failures: int = 3,
        folder: str | None = None,
    ):
        super().__init__(model, loss, config, device)
        self.workers, self.max_failures, self.folder = workers, max_failures, folder

    def fit(self, data: TrainingData | StreamedData, valid: TrainingData | None = None) -> pd.DataFrame:
        """Train the model in place.

        Parameters
        ----------
        data : TrainingData or StreamedData
            All training rows.
        valid : TrainingData, default=None
            Rows to validate on after each epoch; the weights of the best epoch are kept.

        Returns
        -------
        pandas.DataFrame
            One row per epoch.
        """
        ray, config = import_ray(), self.config
        if config.callbacks:
            raise ValueError("callbacks run in this process, but the workers train: use the Trainer of this process.")
        if self.device.type != "cpu":
            raise ValueError(f"device={str(self.device)!r} must be 'cpu', on which the workers train.")
        if not ray.is_initialized():
            raise ValueError("RayTrainer needs a cluster: fit within `with cluster(workers=...)`.")
        n_free = int(ray.cluster_resources().get("CPU", 0))
        if not 1 <= self.workers <= n_free:
            raise ValueError(f"workers={self.workers} must be 1 to {n_free}, the number of CPUs of the cluster.")
        seed = int(torch.randint(2**31 - 1, ())) if config.seed is None else config.seed
        given = ray.put((self.model, self.loss, replace(config, seed=seed, verbose=0), data, valid))
        with tempfile.TemporaryDirectory(prefix="tabrec-", dir=self.folder) as folder:
            weights, history = self._run(ray, given, str(Path(folder) / "epoch.pt"))
        self.model.load_state_dict(weights)
        self.model.eval()
        return history

    def _run(self, ray: Any, given: Any, checkpoint: str) -> Any:
        """Let the workers train, and start them again if one is lost; returns the weights and the history."""
        for failure in range(self.max_failures + 1):
            ranks = [ray.remote(num_cpus=1)(_Rank).remote() for _ in range(self.workers)]
            try:
                address = ray.get(ranks[0].find_address.remote())
                running = [
                    rank.train.remote(given, address, number, self.workers, checkpoint)
                    for number, rank in enumerate(ranks)
                ]
                while running:  # workers wait for a lost one, so results are awaited as they come
                    done, running = ray.wait(running)
                    for result in ray.get(done):
                        if result is not None:
                            trained = result
                return trained
            except ray.exceptions.RayActorError as error:
                if failure == self.max_failures:
                    raise RuntimeError(f"Workers were lost {failure + 1} times, more than max_failures.") from error
                warn_caller("A worker was lost: training continues after the last epoch that was completed.")
            finally:
                for rank in ranks:
                    ray.kill(rank)
        raise AssertionError


class _Rank:
    """A worker of Ray that trains."""

    def find_address(self) -> str:
        """Return an address of this machine with a free port."""
        host = import_ray().util.get_node_ip_address()
        with socket.socket() as found:
            found.bind((host, 0))
            return f"{host}:{found.getsockname()[1]}"

    def train(self, given: Any, address: str, number: int, n_ranks: int, checkpoint: str) -> Any:
        """Train together with the other workers; number 0 returns the weights and the history."""
        model, loss, config, data, valid = given
        if address.startswith(_LOOPBACK):
            os.environ["GLOO_SOCKET_IFNAME"] = "lo"
        torch.set_num_threads(1)
        torch.distributed.init_process_group("gloo", f"tcp://{address}", rank=number, world_size=n_ranks)
        try:
            path = Path(checkpoint)
            trainer = SharedTrainer(model, loss, config, "cpu", rank=number, n_ranks=n_ranks, checkpoint=path)
            history = trainer.fit(data, valid)
        finally:
            torch.distributed.destroy_process_group()
        return (model.state_dict(), history) if number == 0 else None

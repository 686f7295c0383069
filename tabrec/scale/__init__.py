"""Tables larger than memory: the same estimators, fitted to chunks of files or of a dataset on a cluster.

`RayTrainer` is imported when first used, as it needs torch.
"""

from typing import TYPE_CHECKING, Any

from tabrec.scale.files import FileChunks
from tabrec.scale.frames import FrameChunks
from tabrec.scale.planning import Plan, plan
from tabrec.scale.ray_chunks import RayChunks
from tabrec.scale.ray_cluster import cluster, parallel_on_ray
from tabrec.scale.writing import predict_to

if TYPE_CHECKING:
    from tabrec.scale.ray_trainer import RayTrainer

__all__ = [
    "FileChunks",
    "FrameChunks",
    "Plan",
    "RayChunks",
    "RayTrainer",
    "cluster",
    "parallel_on_ray",
    "plan",
    "predict_to",
]


def __getattr__(name: str) -> Any:
    if name == "RayTrainer":
        from tabrec.scale.ray_trainer import RayTrainer

        return RayTrainer
    raise AttributeError(f"module 'tabrec.scale' has no attribute {name!r}")

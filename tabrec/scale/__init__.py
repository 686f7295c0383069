"""Tables larger than memory: the same estimators, fitted to chunks of files or of a dataset on a cluster."""

from tabrec.scale.files import FileChunks
from tabrec.scale.frames import FrameChunks
from tabrec.scale.planning import Plan, plan
from tabrec.scale.ray_chunks import RayChunks
from tabrec.scale.ray_cluster import cluster, parallel_on_ray
from tabrec.scale.ray_trainer import RayTrainer
from tabrec.scale.writing import predict_to

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

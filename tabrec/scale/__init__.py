"""Tables larger than memory: the same estimators, fitted to chunks of files."""

from tabrec.scale.files import FileChunks
from tabrec.scale.frames import FrameChunks
from tabrec.scale.writing import predict_to

__all__ = ["FileChunks", "FrameChunks", "predict_to"]

"""`save` and `load`: models as folders that never run code; files that appear complete or not at all."""

from tabrec.saving.models import load, load_header, load_metadata, load_with_metadata, save

__all__ = ["load", "load_header", "load_metadata", "load_with_metadata", "save"]

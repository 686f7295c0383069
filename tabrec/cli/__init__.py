"""The command line: parses, calls, prints."""

from tabrec.cli._app import main

__all__ = ["main"]

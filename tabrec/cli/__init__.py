"""The command line: parses arguments, calls a run, prints."""

from tabrec.cli._app import main

__all__ = ["main"]

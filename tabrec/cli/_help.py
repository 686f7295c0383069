"""The look of ``--help``: limited in width, and plain where colour is disabled."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

from tabrec.cli._printing import console

_WIDEST = 100  # longer lines are hard to read


class _Readable:
    def get_params(self, ctx: Any) -> list[Any]:
        params = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False):
                param.metavar = ""  # a flag has no value
        return params

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from typer import rich_utils  # imported here because only help needs it

        rich_utils.MAX_WIDTH = min(console.width, _WIDEST)
        if console.no_color or not console.is_terminal:
            rich_utils.COLOR_SYSTEM = None
        super().format_help(ctx, formatter)  # type: ignore[misc]


class Command(_Readable, TyperCommand):
    """A command."""


class Group(_Readable, TyperGroup):
    """The program."""

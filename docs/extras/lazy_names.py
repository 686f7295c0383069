"""An extension of Griffe for names imported on first use and for Sphinx markup in docstrings."""

import re
from importlib import import_module
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|attr):`~?([^`]+)`")
_FOOTNOTE = re.compile(r"^\.\. \[(\d+)\] ", re.MULTILINE)
_FOOTNOTE_MARK = re.compile(r"\[(\d+)\]_")


class LazyNames(griffe.Extension):
    """Adds public names that are imported on first use as aliases, and removes Sphinx markup from docstrings."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Add the names of tabrec and tabrec.interpret that only `__getattr__` finds."""
        for module in (pkg, pkg["interpret"]):
            runtime = import_module(module.path)
            for name in sorted(set(runtime.__all__) - set(module.members)):
                home = runtime._MODULE_OF[name].removeprefix(f"{module.path}.")
                module.set_member(name, griffe.Alias(name, f"{module.path}.{home}.{name}"))
            module.exports = list(runtime.__all__)

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Roles become code, footnotes become numbers."""
        if obj.docstring:
            text = _FOOTNOTE_MARK.sub(r"[\1]", _ROLE.sub(r"`\1`", obj.docstring.value))
            obj.docstring.value = _FOOTNOTE.sub(r"\1. ", text)

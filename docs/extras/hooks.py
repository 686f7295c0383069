"""What the site holds from outside docs/: no second copy of a page is kept (a hook of MkDocs)."""

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent.parent
PAGES = {
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
# A dash with nothing behind it: a parameter that its name and type explain.
_EMPTY = re.compile(r"\s*–\s*<div class=\"doc-md-description\">\s*</div>")
_LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")


def included_files() -> dict[str, str]:
    """Files outside docs/, by their path in the repository, and where they stand in the site."""
    results = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    return PAGES | {f"benchmarks/results/{path.name}": f"benchmarks/results/{path.name}" for path in results}


def place_in_site(path: str) -> str:
    """Where a file of the repository stands in the site; one that is not part of it stays outside."""
    return included_files().get(path, os.path.relpath(path, "docs"))


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and files that lie outside docs/."""
    for path, place in included_files().items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Turn links between files of the repository into links between files of the site."""
    source = os.path.relpath(str(page.file.abs_src_path), ROOT)

    def link(found: re.Match[str]) -> str:
        target = os.path.normpath(os.path.join(os.path.dirname(source), found[1]))
        return os.path.relpath(place_in_site(target), os.path.dirname(page.file.src_uri)).replace(os.sep, "/")

    return _LINK.sub(link, markdown)


def on_page_content(html: str, page: Page, config: Any, files: Files) -> str:
    """Leave out dashes that nothing follows."""
    return _EMPTY.sub("", html)

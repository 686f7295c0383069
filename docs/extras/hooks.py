"""A hook of MkDocs that adds pages from outside docs/ to the site, so that none is kept twice."""

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
# A dash without a description: a parameter that its name and type explain.
_EMPTY = re.compile(r"\s*–\s*<div class=\"doc-md-description\">\s*</div>")
_LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")


def included_files() -> dict[str, str]:
    """Files outside docs/ that are part of the site: the place in the site by the path in the repository."""
    results = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    return PAGES | {f"benchmarks/results/{path.name}": f"benchmarks/results/{path.name}" for path in results}


def place_in_site(path: str) -> str:
    """The place of a file of the repository in the site; other files keep their path."""
    return included_files().get(path, os.path.relpath(path, "docs"))


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and files from outside docs/."""
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
    """Remove dashes without a description."""
    return _EMPTY.sub("", html)

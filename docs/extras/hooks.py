"""A hook of MkDocs that adds pages from outside docs/ to the site, without keeping a copy."""

import logging
import os
import re
from pathlib import Path
from typing import Any

from markdown.extensions.toc import slugify
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebook_pages import FOLDER_VARIABLE, NOTEBOOKS, executed_or_bare, to_page

ROOT = Path(__file__).parent.parent.parent
LOG = logging.getLogger("mkdocs.hooks.tabrec")
PAGES = {
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
# A dash without a description: a parameter that its name and type explain.
_EMPTY = re.compile(r"\s*–\s*<div class=\"doc-md-description\">\s*</div>")
_PICTURE = re.compile(r"^#+ ([^\n]+)\n|^!\[([^\]]*)\]\((images/gallery/\w+\.png)\)", re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")


def included_files() -> dict[str, str]:
    """Files outside docs/ that are part of the site: the place in the site by the path in the repository."""
    results = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    return PAGES | {f"benchmarks/results/{path.name}": f"benchmarks/results/{path.name}" for path in results}


def place_in_site(path: str) -> str:
    """The place of a file of the repository in the site; other files keep their path."""
    if path.startswith("notebooks/"):  # a notebook, or a picture that it draws
        return re.sub(r"\.ipynb$", ".md", path)
    return included_files().get(path, os.path.relpath(path, "docs"))


def path_in_repository(file: File) -> str:
    """The path in the repository of the source of a page; pages of notebooks are made in memory."""
    return file.src_uri if file.abs_src_path is None else os.path.relpath(file.abs_src_path, ROOT)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and files from outside docs/, and the notebooks with their outputs."""
    for path, place in included_files().items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    into = Path(os.environ.get(FOLDER_VARIABLE, ROOT / "build" / "notebooks"))
    for path in NOTEBOOKS:
        notebook = executed_or_bare(path, into)
        text, pictures = to_page(notebook, path.stem)
        if not pictures:
            LOG.info("%s has no outputs: its packages or tables are missing", path.name)
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
        for place, picture in pictures.items():
            files.append(File.generated(config, f"notebooks/{place}", content=picture))
    return files


def thumbnails(gallery: str) -> str:
    """Return a small picture of each plot of the gallery, with its heading, that links to the plot."""
    links, heading = [], ""
    for found in _PICTURE.finditer(gallery):
        if found[1]:
            heading = found[1]
        else:
            picture = f'<img alt="{found[2]}" loading="lazy" src="{found[3]}">'
            links.append(f'<a href="#{slugify(heading, "-")}">{picture}{heading}</a>')
    return '<div class="thumbnails">\n' + "\n".join(links) + "\n</div>"


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Turn links between files of the repository into links between files of the site; add the thumbnails."""
    markdown = markdown.replace("<!-- thumbnails -->", thumbnails(markdown))
    source = path_in_repository(page.file)

    def link(found: re.Match[str]) -> str:
        target = os.path.normpath(os.path.join(os.path.dirname(source), found[1]))
        return os.path.relpath(place_in_site(target), os.path.dirname(page.file.src_uri)).replace(os.sep, "/")

    return _LINK.sub(link, markdown)


def on_page_content(html: str, page: Page, config: Any, files: Files) -> str:
    """Remove dashes without a description."""
    return _EMPTY.sub("", html)

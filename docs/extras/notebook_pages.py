"""Execute the notebooks and turn them into pages of the site: the text, the code, and what it prints and draws.

A page is Markdown, so its links are checked, it can be searched, and it looks like every other page in light and dark.
"""

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import Any

from filelock import FileLock

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FOLDER_VARIABLE = "TABREC_EXECUTED_NOTEBOOKS"
_STYLE = re.compile(r"<style.*?</style>\s*", re.DOTALL)


def execute(path: Path, into: Path) -> Path:
    """Execute a notebook, unless `into` has it already, and return the folder it ran in, with the executed copy.

    The name of the folder holds a hash of the notebook and the package. Other processes that ask for it wait.
    """
    import nbformat

    sources = [path, *sorted((ROOT / "tabrec").rglob("*.py"))]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    folder = into / f"{path.stem}-{digest[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        done = folder / path.name
        if not done.exists():
            notebook = nbformat.read(path, as_version=4)
            run(notebook, folder)
            nbformat.write(notebook, done)
    return folder


def run(notebook: Any, folder: Path, environment: dict[str, str] | None = None) -> None:
    """Run the cells of a notebook in a new kernel whose working folder is `folder`; the outputs stay in `notebook`."""
    from nbclient import NotebookClient

    kernel = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    kernel |= {"IPYTHONDIR": str(folder / ".ipython")} | (environment or {})
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute(env=kernel)


def executed_or_bare(path: Path, into: Path) -> Any:
    """Return the executed notebook, or the notebook without outputs if its packages or tables are missing."""
    import nbformat
    from nbclient.exceptions import CellExecutionError

    try:
        return nbformat.read(execute(path, into) / path.name, as_version=4)
    except CellExecutionError as error:
        if error.ename not in ("FileNotFoundError", "ModuleNotFoundError"):
            raise
        return nbformat.read(path, as_version=4)


def to_page(notebook: Any, name: str) -> tuple[str, dict[str, bytes]]:
    """Return the Markdown of a notebook, and its pictures by their path beside the page."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            heading = (re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE) or [heading])[-1]
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                place = f"{name}/{len(pictures) + 1}.png"
                pictures[place] = base64.b64decode(data["image/png"])
                parts.append(f"![Plot: {heading}]({place})")
            elif "text/html" in data:
                parts.append(_table(data["text/html"]))
            elif text := output.get("text") or data.get("text/plain"):
                parts.append(f"``` {{.text .output}}\n{text.rstrip()}\n```")
    return "\n\n".join(parts) + "\n", pictures


def _table(html: str) -> str:
    """Leave the look of tables to the site."""
    html = _STYLE.sub("", html).replace(' border="1" class="dataframe"', "").replace(' style="text-align: right;"', "")
    return f'<div class="output">\n{html}\n</div>'

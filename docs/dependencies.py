"""Print the tables of docs/dependencies.md: python docs/dependencies.py uv.lock

Sizes and licences are read from the installed packages, so install the extras first:
pip install '.[kaggle,viz,docs,dev]'. Release dates are read from the file that ``uv lock`` writes for a project that
requires all of them, unpinned; without it they are left out.
"""

import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parent.parent
WHAT_FOR = {
    "charset-normalizer": "the encoding of text files",
    "filelock": "locks a data folder while it is downloaded",
    "jinja2": "the HTML page of `report`",
    "joblib": "trees in threads; a dependency of scikit-learn",
    "numpy": "arrays",
    "pandas": "frames",
    "pyarrow": "reading CSV and parquet, arrow tables, text columns without copies",
    "rich": "tables, colours and progress in the terminal",
    "safetensors": "arrays of saved models, without pickle",
    "scikit-learn": "the API, forests, boosting, metrics, splits",
    "scipy": "sparse matrices, statistics, clustering of columns",
    "skops": "scikit-learn objects in saved models, without pickle",
    "threadpoolctl": "limits the threads of BLAS and OpenMP",
    "torch": "nets",
    "typer": "the command line",
    "optuna": "proposes the candidates of `tune`",
    "ray": "datasets on a cluster",
    "openpyxl": "reading spreadsheets",
    "sqlalchemy": "reading the result of a query",
    "usearch": "approximate search for items",
    "kaggle": "downloading competitions and submitting",
    "matplotlib": "plots and the report",
    "dtreeviz": "`view_tree`",
    "shap": "compared with in tests and benchmarks",
    "treeinterpreter": "compared with in tests and benchmarks",
    "waterfallcharts": "compared with in tests",
    "mkdocs": "the site",
    "mkdocs-material": "theme and search of the site",
    "mkdocstrings": "API pages from docstrings",
    "fastai": "compared with in a notebook",
    "hypothesis": "property-based tests",
    "ipykernel": "runs notebooks",
    "jupytext": "notebooks as text",
    "lightgbm": "trained on the encoded frame in tests",
    "mypy": "type checks",
    "nbclient": "runs notebooks",
    "nbformat": "reads notebooks",
    "pandas-stubs": "type stubs of pandas",
    "polars": "polars frames in tests",
    "pytest": "tests",
    "pytest-xdist": "parallel tests",
    "ruff": "lint, format",
    "selenium": "browser tests of the report and the site",
    "xgboost-cpu": "trained on the encoded frame in tests",
}


def read_project() -> dict[str, list[str]]:
    """Names of the required packages (group ""), and of those of each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    names = {group: [re.match(r"[\w.-]+", line)[0].lower() for line in lines] for group, lines in groups.items()}
    return {group: [name for name in found if name != "tabrec"] for group, found in names.items()}


def read_licence(found: Distribution) -> str:
    """The licence by its metadata: the expression, else the classifier, else the first line of the licence itself."""
    if expression := found.metadata.get("License-Expression"):
        return expression
    classifiers = [line for line in found.metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    names = [line.split(" :: ")[-1] for line in classifiers if line.count(" :: ") > 1]
    texts = [file.read_text() for file in found.files or [] if file.name.startswith(("LICENSE", "COPYING"))]
    lines = [text.strip().splitlines()[0] for text in [found.metadata.get("License") or "", *texts] if text.strip()]
    return ", ".join(names) or (lines or ["not stated"])[0]


def read_releases(lock: Path) -> dict[str, str]:
    """Version and day of each package in a uv.lock."""
    releases = {}
    for package in tomllib.loads(lock.read_text(encoding="utf-8"))["package"]:
        files = [*package.get("wheels", []), package.get("sdist", {})]
        days = [str(file["upload-time"])[:10] for file in files if "upload-time" in file]
        if days:
            releases[package["name"]] = f"{package['version']}, {min(days)}".replace("-", "\N{NON-BREAKING HYPHEN}")
    return releases


def table(names: list[str], releases: dict[str, str]) -> str:
    """A markdown table of packages."""
    lines = ["| package | what for | licence | installed | last release |", "|---|---|---|---|---|"]
    for name in names:
        try:
            found = distribution(name)
        except PackageNotFoundError:
            licence = size = "not installed"
        else:
            paths = [file.locate() for file in found.files or []]
            licence = read_licence(found)
            size = f"{sum(path.stat().st_size for path in paths if path.is_file()) / 2**20:.1f} MiB"
        lines.append(f"| {name} | {WHAT_FOR[name]} | {licence} | {size} | {releases.get(name, '')} |")
    return "\n".join(lines)


if __name__ == "__main__":
    known = read_releases(Path(sys.argv[1])) if len(sys.argv) > 1 else {}
    for group, names in read_project().items():
        print(f"\n{group or 'required'}\n\n{table(names, known)}")

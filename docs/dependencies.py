"""Print the tables of docs/dependencies.md: python docs/dependencies.py uv.lock

Sizes and licences are those of what is installed, so install the extras first: pip install '.[kaggle,viz,docs,dev]'.
Dates of last releases are in the file that ``uv lock`` writes for a project that asks for all of them, unpinned;
without it there are none.
"""

import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parent.parent
WHAT_FOR = {
    "filelock": "two processes that fetch the same data take turns",
    "jinja2": "the page of `report`",
    "joblib": "trees in threads; scikit-learn brings it",
    "numpy": "arrays",
    "pandas": "frames",
    "pyarrow": "reading CSV and parquet, arrow tables, text columns without copies",
    "rich": "the terminal's tables, colours and progress",
    "safetensors": "arrays of saved models, without pickle",
    "scikit-learn": "the API, forests, boosting, measures, splits",
    "scipy": "sparse matrices, statistics, clustering of columns",
    "skops": "scikit-learn's parts of saved models, without pickle",
    "threadpoolctl": "as many threads of BLAS and OpenMP as gain",
    "torch": "nets",
    "typer": "the command line",
    "kaggle": "fetching competitions, and submitting",
    "matplotlib": "every plot; the report, too",
    "dtreeviz": "`view_tree`",
    "shap": "compared with in tests and benchmarks",
    "treeinterpreter": "compared with in tests and benchmarks",
    "waterfallcharts": "compared with in tests",
    "mkdocs": "the site",
    "mkdocs-material": "how the site looks, its search",
    "mkdocstrings": "API pages from docstrings",
    "fastai": "each of its calls beside ours, in a notebook",
    "hypothesis": "tests on made cases",
    "ipykernel": "runs notebooks",
    "jupytext": "notebooks as text",
    "lightgbm": "takes the encoded frame, in tests",
    "mypy": "types",
    "nbclient": "runs notebooks",
    "nbformat": "reads notebooks",
    "pandas-stubs": "types of pandas",
    "polars": "its frames, in tests",
    "pytest": "tests",
    "pytest-xdist": "tests, several at once",
    "ruff": "lint, format",
    "selenium": "the report and the site in a browser, in tests",
    "xgboost-cpu": "takes the encoded frame, in tests",
}


def read_project() -> dict[str, list[str]]:
    """Names of what is needed always (""), and of what each extra adds."""
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
    return ", ".join(names) or (lines or ["not told"])[0]


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
        print(f"\n{group or 'always'}\n\n{table(names, known)}")

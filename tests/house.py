"""Structural rules of the package; `python -m tests.house` prints what `tests/test_house.py` asserts.

Each check is a function that returns the places where the package breaks a rule. CONTRIBUTING explains the rules.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tabrec"

# Which rooms a room may import. `saving` names classes by strings, so that it needs none of the rooms it saves.
MAY_IMPORT = {
    "tables": set(),
    "datasets": {"tables"},  # What text is a number is decided in one place.
    "saving": set(),
    "plotting": {"tables"},
    "preprocess": {"tables", "plotting", "saving"},
}
MAY_IMPORT["trees"] = MAY_IMPORT["neural"] = {*MAY_IMPORT["preprocess"], "preprocess"}
MAY_IMPORT["collab"] = {*MAY_IMPORT["neural"], "neural"}
MAY_IMPORT["testing"] = {*MAY_IMPORT["collab"], "collab", "datasets"}
MAY_IMPORT["interpret"] = {*MAY_IMPORT["collab"], "trees", "collab"}
MAY_IMPORT["stages"] = {*MAY_IMPORT["interpret"], "interpret"}
MAY_IMPORT["ensemble"] = {*MAY_IMPORT["neural"], "neural", "trees"}
MAY_IMPORT["scale"] = {*MAY_IMPORT["collab"], "trees", "collab"}
MAY_IMPORT["runs"] = {*MAY_IMPORT["stages"], "stages", "ensemble", "datasets", "scale"}
MAY_IMPORT["cli"] = {*MAY_IMPORT["runs"], "runs"}

LONGEST_MODULE = 400
LONGEST_FUNCTION = 50
_FOLDERS = ("tabrec", "tests", "docs", "benchmarks", "examples", "notebooks")
_SUFFIXES = "py|hpp|cpp|toml|yml"
_HEADING = re.compile(r"^([A-Z][A-Za-z ]+)\n-+\n", flags=re.MULTILINE)  # of a section of a numpydoc docstring


class Import(NamedTuple):
    """One imported name: the module that imports it, the module that it is taken from, and the name (or "")."""

    importer: str
    module: str
    name: str
    is_late: bool  # inside a function or `if TYPE_CHECKING`
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.module}{'.' + self.name if self.name else ''}"


@cache
def modules() -> dict[str, tuple[Path, ast.Module]]:
    """Path and syntax tree of every module of the package by dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = (path, ast.parse(path.read_text(encoding="utf-8")))
    return found


@cache
def imports() -> list[Import]:
    """Every import of one module of the package by another."""
    return [found for name, (_, tree) in modules().items() for found in _imports_of(name, tree)]


def _imports_of(importer: str, tree: ast.AST) -> Iterator[Import]:
    known = modules()
    late = {id(node) for scope in ast.walk(tree) if _is_late_scope(scope) for node in ast.walk(scope)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in known:
                    yield Import(importer, alias.name, "", id(node) in late, node.lineno)
                    if alias.name == PACKAGE.name:
                        yield from _names_of_root(importer, tree, alias.asname or alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module in known:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                module, name = (submodule, "") if submodule in known else (node.module, alias.name)
                yield Import(importer, module, name, id(node) in late, node.lineno)


def _names_of_root(importer: str, tree: ast.AST, name: str) -> Iterator[Import]:
    """What a module reads of the package itself, as in ``tabrec.load``; "*" where the attribute is not written out."""
    read = {id(node.value): node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name:
            yield Import(importer, PACKAGE.name, read.get(id(node), "*"), False, node.lineno)


def _is_late_scope(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or (
        isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    )


def room_of(module: str) -> str:
    """The room of a module: the first folder below the package, "" for the package itself."""
    return [*module.split("."), ""][1]


def _is_private(module: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in module.split("."))


def private_imports_across_rooms() -> list[str]:
    """Imports of private modules or names from another room."""
    across = [found for found in imports() if room_of(found.importer) != room_of(found.module)]
    return [str(found) for found in across if _is_private(found.module) or _is_private(found.name)]


def imports_against_the_order() -> list[str]:
    """Imports of a room that `MAY_IMPORT` does not list, and public names that are taken from `tabrec` itself."""
    rooms = [(found, room_of(found.importer), room_of(found.module)) for found in imports()]
    across = [row for row in rooms if row[1] != row[2] and row[1] in MAY_IMPORT and row[2]]
    forbidden = [str(found) for found, importer, room in across if room not in MAY_IMPORT[importer]]
    # A public name taken from `tabrec` may come from any room, which only `runs` and `cli` may import.
    return forbidden + [
        str(found)
        for found, importer, room in rooms
        if importer not in ("", "runs", "cli") and not room and found.name not in ("", "__version__")
    ]


def rooms_without_a_place_in_the_order() -> list[str]:
    return sorted({room_of(name) for name in modules()} - set(MAY_IMPORT) - {"", "__main__"})


def modules_at_the_root() -> list[str]:
    """Python files at the root of the package other than `__init__` and `__main__`."""
    return [path.name for path in PACKAGE.glob("*.py") if path.stem not in ("__init__", "__main__")]


def circles(*, late: bool = False) -> list[str]:
    """Groups of modules that import each other; with `late`, imports inside functions count too."""
    graph = defaultdict(set)
    for found in imports():
        if (late or not found.is_late) and found.importer != found.module:
            graph[found.importer].add(found.module)
    reached = {name: _reachable(name, graph) for name in graph}
    groups = {frozenset(n for n in reached if name in reached[n] and n in reached[name]) for name in reached}
    return [" <-> ".join(sorted(group)) for group in groups if len(group) > 1]


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    ahead = list(graph.get(start, ()))
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += graph.get(name, ())
    return seen


def classes_of_one_name() -> list[str]:
    """Names that two or more classes of the package share."""
    homes = defaultdict(list)
    for name, (_, tree) in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(name)
    return [f"{name}: {', '.join(places)}" for name, places in homes.items() if len(places) > 1]


def lines_by_module() -> Counter[str]:
    return Counter({name: len(path.read_text(encoding="utf-8").splitlines()) for name, (path, _) in modules().items()})


def long_modules() -> list[str]:
    return [f"{name}: {lines}" for name, lines in lines_by_module().most_common() if lines > LONGEST_MODULE]


@cache
def lines_by_function() -> Counter[str]:
    """Lines of the body of every function, without its signature and its docstring."""
    lines: Counter[str] = Counter()
    for name, (_, tree) in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                body = [statement for statement in node.body if not _is_docstring(statement)]
                lines[f"{name}.{node.name}"] = node.end_lineno - body[0].lineno + 1 if body else 0
    return lines


def long_functions() -> list[str]:
    return [f"{name}: {lines}" for name, lines in lines_by_function().most_common() if lines > LONGEST_FUNCTION]


def swapped_attributes() -> list[str]:
    """Assignments to `self.__dict__`: `restores_on_failure` is the one way to undo a failed fit."""
    return [
        f"{name}:{node.lineno}"
        for name, (_, tree) in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and target.attr == "__dict__"
    ]


@cache
def public_names() -> dict[str, object]:
    """Functions and classes that have an entry on a page of docs/api."""
    pages = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "api").glob("*.md"))]
    paths = [path for page in pages for path in re.findall(r"^::: ([\w.]+)$", page, flags=re.MULTILINE)]
    return {path: getattr(import_module(path.rpartition(".")[0]), path.rpartition(".")[2]) for path in paths}


def public_estimators() -> dict[str, type]:
    """Public classes with `get_params`: estimators, transformers and splitters among the public names."""
    classes = {path: found for path, found in public_names().items() if inspect.isclass(found)}
    return {path: found for path, found in classes.items() if hasattr(found, "get_params")}


def constructors_that_do_more_than_assign() -> list[str]:
    """Constructors of public estimators that do not assign their parameters, in order, and nothing else."""
    return [path for path, cls in public_estimators().items() if not all(map(_only_assigns, cls.__mro__))]


def _only_assigns(cls: type) -> bool:
    if "__init__" not in vars(cls) or not cls.__module__.startswith("tabrec."):
        return True
    function = ast.parse(dedent(inspect.getsource(cls.__init__))).body[0]
    parameters = [p.arg for p in (*function.args.args[1:], *function.args.kwonlyargs)]
    if function.args.vararg or function.args.kwarg:
        return False
    body = [node for node in function.body if not _is_docstring(node)]
    calls = [node for node in body if ast.unparse(node).startswith("super().__init__(")]
    assigned = [ast.unparse(node) for node in body if node not in calls]
    handed_on = {k.arg for node in calls for k in node.value.keywords} | {
        ast.unparse(argument) for node in calls for argument in node.value.args
    }
    return len(calls) <= 1 and assigned == [f"self.{p} = {p}" for p in parameters if p not in handed_on]


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def fits_that_leave_marks() -> list[str]:
    """`fit` and `partial_fit` of public estimators of the package without `restores_on_failure`."""
    found = []
    for path, cls in public_estimators().items():
        for name in ("fit", "partial_fit"):
            method = getattr(cls, name, None)
            if method is None or not method.__module__.startswith("tabrec."):
                continue
            # A method may leave the learning to another one, which is decorated.
            called = re.findall(r"\bself\.(\w+)\(", inspect.getsource(method))
            if not any(map(_restores, [method, *(getattr(cls, callee, None) for callee in called)])):
                found.append(f"{path}.{name}")
    return found


def _restores(method: Callable | None) -> bool:
    while method is not None:
        if method.__code__.co_qualname.startswith("restores_on_failure."):
            return True
        method = getattr(method, "__wrapped__", None)
    return False


def unregistered_classes() -> list[str]:
    """Names of saved models without their class, and public estimators that cannot be saved."""
    from tabrec.saving import class_names, older_formats

    found = []
    for name, path in class_names._PATHS.items():
        module, _, class_name = path.rpartition(".")
        try:
            cls = getattr(import_module(module), class_name)
        except (ImportError, AttributeError) as error:
            found.append(f"{name}: {error}")
        else:
            if class_names.path_of(cls) != path:
                found.append(f"{name}: {path} is defined in {cls.__module__}")
    found += [f"format 1: {name}" for name in older_formats._FORMAT_1.values() if name not in class_names._PATHS]
    concrete = {path: cls for path, cls in public_estimators().items() if not inspect.isabstract(cls)}
    return found + [path for path, cls in concrete.items() if not class_names.is_registered(cls)]


def docstrings_without_see_also() -> list[str]:
    # Constants have no docstring at runtime.
    documented = {path: found for path, found in public_names().items() if callable(found)}
    return [path for path, found in documented.items() if "See Also" not in _sections(found.__doc__)]


def repeated_headings() -> list[str]:
    """Sections that a public docstring has twice, of which other checks would read only the last."""
    return sorted(
        {
            f"{path}: {title}"
            for path, doc in _public_docstrings()
            for title, count in Counter(_HEADING.findall(inspect.cleandoc(doc or ""))).items()
            if count > 1
        }
    )


def undescribed(title: str) -> list[str]:
    """Entries of a section without a description, in docstrings of public names and of their public methods."""
    return sorted(
        {
            f"{path}: {name}"
            for path, doc in _public_docstrings()
            for name, description in _sections(doc).get(title, [])
            if not description
        }
    )


def _public_docstrings() -> Iterator[tuple[str, str | None]]:
    for path, found in public_names().items():
        yield path, found.__doc__
        for name in dir(found) if inspect.isclass(found) else ():
            member = getattr(found, name)
            if not name.startswith("_") and str(getattr(member, "__module__", "")).startswith("tabrec."):
                yield f"{member.__module__}.{member.__qualname__}", inspect.getdoc(member)


def _sections(doc: str | None) -> dict[str, list[tuple[str, str]]]:
    """Entries of each section of a numpydoc docstring: a line at the margin, and the indented lines below it."""
    parts = _HEADING.split(inspect.cleandoc(doc or ""))
    entry = re.compile(r"^(\S.*)((?:\n(?: +.*)?)*)", flags=re.MULTILINE)
    return {
        title: [(name, description.strip()) for name, description in entry.findall(text)]
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def private_imports_of_tests() -> list[str]:
    """Imports of private modules by tests."""
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [f"{node.module}.{a.name}" for a in node.names] if isinstance(node, ast.ImportFrom) else []
            modules_of = {name if name in modules() else name.rpartition(".")[0] for name in names}
            found += [
                f"{path.relative_to(ROOT)}:{node.lineno} imports {name}"
                for name in modules_of
                if name.startswith("tabrec.") and _is_private(name)
            ]
    return found


def rooms_that_contributing_describes_wrongly() -> list[str]:
    """Rooms that the table in CONTRIBUTING lacks or invents, or whose imports there are not those of `MAY_IMPORT`."""
    rows = re.findall(r"^\| `(\w+)/` \|.*?\| (.*) \|$", _contributing(), flags=re.MULTILINE)
    described = {room: set(re.findall(r"`(\w+)`", imported)) - {room} for room, imported in rows}
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return [
        room
        for room in sorted(rooms | set(described))
        if described.get(room) != MAY_IMPORT.get(room) or room not in rooms
    ]


def stops_that_are_not_in_their_file() -> list[str]:
    """Stops of the paths in CONTRIBUTING, "3. `tabrec/x.py`: `name` …", whose file has no such function or class."""
    stops = re.findall(r"^\d\. `(tabrec/[\w/]+\.py)`: `(?:\w+\.)?(\w+)`", _contributing(), flags=re.MULTILINE)
    return [
        f"{path}: {name}"
        for path, name in stops
        if not re.search(rf"(def|class) {name}\b", (ROOT / path).read_text(encoding="utf-8"))
    ]


def named_files_that_do_not_exist(documents: Iterable[Path] = ()) -> list[str]:
    """Files of the repository that documents name in code, with a folder or alone, and that do not exist."""
    files = [path.relative_to(ROOT) for folder in _FOLDERS for path in (ROOT / folder).rglob("*.*")]
    names = {path.name for path in files} | {path.name for path in ROOT.iterdir()}
    found = []
    for document in documents or _documents():
        text = document.read_text(encoding="utf-8")
        paths = re.findall(rf"(?<![\w/.])((?:{'|'.join(_FOLDERS)})/[\w./-]*\.(?:{_SUFFIXES}))\b", text)
        alone = re.findall(rf"`([\w-]+\.(?:{_SUFFIXES}))`", text)
        missing = {path for path in paths if not (ROOT / path).is_file()} | (set(alone) - names)
        found += [f"{document.name}: {name}" for name in sorted(missing)]
    return found


def _documents() -> list[Path]:
    return [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
    ]


def _contributing() -> str:
    return (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def comments() -> int:
    """Lines that hold only a comment."""
    return sum(
        line.lstrip().startswith("#")
        for path, _ in modules().values()
        for line in path.read_text(encoding="utf-8").splitlines()
    )


# What must be empty.
CHECKS: dict[str, Callable[[], list[str]]] = {
    "private imports across rooms": private_imports_across_rooms,
    "imports against the order of rooms": imports_against_the_order,
    "rooms without a place in the order": rooms_without_a_place_in_the_order,
    "import circles": circles,
    "modules at the root": modules_at_the_root,
    "class names used twice": classes_of_one_name,
    f"modules over {LONGEST_MODULE} lines": long_modules,
    f"functions over {LONGEST_FUNCTION} lines": long_functions,
    "constructors that do more than assign": constructors_that_do_more_than_assign,
    "assignments to __dict__": swapped_attributes,
    "fits without restores_on_failure": fits_that_leave_marks,
    "unregistered classes": unregistered_classes,
    "public docstrings without See Also": docstrings_without_see_also,
    "public docstrings with a heading twice": repeated_headings,
    "parameters without a description": lambda: undescribed("Parameters"),
    "attributes without a description": lambda: undescribed("Attributes"),
    "rooms that CONTRIBUTING describes wrongly": rooms_that_contributing_describes_wrongly,
    "stops of CONTRIBUTING that are not in their file": stops_that_are_not_in_their_file,
    "named files that do not exist": named_files_that_do_not_exist,
}
# What is printed for information.
COUNTS: dict[str, Callable[[], list[str]]] = {
    "import circles, with imports inside functions": lambda: circles(late=True),
    "private imports of tests": private_imports_of_tests,
}


def main() -> None:
    """Print every check with its places, then the sizes."""
    for title, check in (CHECKS | COUNTS).items():
        found = check()
        print(f"{len(found):4d}  {title}")
        for place in found:
            print(f"        {place}")
    lines = lines_by_module()
    print("\nroom          modules   lines")
    for room in sorted({room_of(name) for name in lines}):
        of_room = [count for name, count in lines.items() if room_of(name) == room]
        print(f"{room or '(root)':<12} {len(of_room):8d} {sum(of_room):7,}")
    print(f"{'all':<12} {len(lines):8d} {lines.total():7,}")
    print(f"\nprivate modules   {sum(map(_is_private, lines))}")
    print("longest module    {} ({} lines)".format(*lines.most_common(1)[0]))
    print("longest function  {} (a body of {} lines)".format(*lines_by_function().most_common(1)[0]))
    print(f"comments          one line in {lines.total() // comments()}")


if __name__ == "__main__":
    main()

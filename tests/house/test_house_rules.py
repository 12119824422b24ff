"""The habits of this house, as far as a program can see whether they are kept."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.house.broad_excepts import BROAD, FOREIGN
from tests.house.parsed import nodes, tree

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = [
    ROOT / "runtime" / "jackfield",
    *sorted(ROOT.glob("runtime/jackfield_*/jackfield_*")),
    *sorted(ROOT.glob("connectors/*/jackfield_*")),
]
SHIPPED = [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]
TESTS = sorted([*ROOT.glob("tests/**/*.py"), *ROOT.glob("connectors/*/tests/**/*.py")])
OURS = sorted([*SHIPPED, *TESTS, *ROOT.glob(".ci/**/*.py"), *ROOT.glob("benchmarks/**/*.py")])
PYPROJECTS = sorted(
    path
    for folder in (".", "runtime/*", "connectors/*", "tests/connectors/*")
    for path in ROOT.glob(f"{folder}/pyproject.toml")
)
_MADE = {".git", ".venv", ".venv-wheels", ".hypothesis", "__pycache__", "site", "build", "dist"}
_CACHE = re.compile(r"^\.(.*_)?cache$|\.egg-info$|^\.coverage")
_TEXT = {".py", ".md", ".toml", ".json", ".yml", ".yaml", ".txt", ".cfg", ".sh", ".ini", ""}
MEDIAN_MODULE = 80
P90_FUNCTION = 14
README_LINES = 80


def name(path: Path) -> str:
    """A path as people write it."""
    return path.relative_to(ROOT).as_posix()


@cache
def texts() -> list[Path]:
    """Every text file of the repository that is not made by a tool."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in _MADE and not _CACHE.search(name)]
        found += [
            Path(folder, name)
            for name in names
            if os.path.splitext(name)[1] in _TEXT and not _CACHE.search(name)
        ]
    return sorted({*found} - {Path(__file__).resolve()})


@cache
def content(path: Path) -> str:
    """What is in a file, read once for all tests."""
    return path.read_text(encoding="utf-8")


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a module."""
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def found(pattern: str, paths: list[Path]) -> list[str]:
    """Where a pattern occurs, as file and line. Most files have it nowhere, which one search
    tells.
    """
    wanted = re.compile(pattern)
    return [
        f"{name(path)}:{number}: {line.strip()[:100]}"
        for path in paths
        if wanted.search(content(path))
        for number, line in enumerate(content(path).splitlines(), start=1)
        if wanted.search(line)
    ]


# What is public


def _listed(path: Path) -> list[str]:
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return list(ast.literal_eval(node.value))
    return []


def _bound(path: Path) -> set[str]:
    """The public names that an ``__init__`` defines or takes from our own modules; lazy names are
    imported for type checkers.

    What it takes for its own code (a name that is read there) it need not export.
    """
    top = [
        *tree(path).body,
        *(node for part in tree(path).body if isinstance(part, ast.If) for node in part.body),
    ]
    read = {
        node.id
        for node in nodes(path)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    names: set[str] = set()
    for node in top:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(
            ("jackfield", path.parent.name)
        ):
            names |= {alias.asname or alias.name for alias in node.names} - (
                read - set(_listed(path))
            )
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {item for item in names if not item.startswith("_")} - {"TYPE_CHECKING"}


INITS = [path for path in SHIPPED if path.name == "__init__.py"]


@pytest.mark.parametrize("path", INITS, ids=name)
def test_all_is_what_a_package_exports(path: Path) -> None:
    """`__all__` of a package names every public thing in it and nothing else, once and in order,
    and each can be had.
    """
    listed = _listed(path)
    bound = _bound(path) | ({"__version__"} & set(listed))
    assert set(listed) == bound
    assert len(listed) == len(set(listed))
    base = next(package.parent for package in PACKAGES if path.is_relative_to(package))
    package = ".".join(path.parent.relative_to(base).parts)
    if path.parent in PACKAGES or "runtime" in path.parts:
        module = importlib.import_module(package)
        assert [item for item in listed if not hasattr(module, item)] == []


def _defined(path: Path) -> set[str]:
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def test_lists_of_modules_name_what_is_there() -> None:
    """A package lists what it exports. A module needs no list: its public names have no underscore;
    a list that it has names its own.
    """
    modules = [path for path in SHIPPED if path not in INITS]
    assert {
        name(path): missing for path in modules if (missing := set(_listed(path)) - _defined(path))
    } == {}


# How large, and how called


def test_modules_and_functions_are_small() -> None:
    """Half of the shipped modules have at most 80 statements, and nine of ten functions at most 14.

    Statements are counted, without docstrings: a layout changes how many lines they take.
    """
    modules = [_statements(nodes(path)) for path in SHIPPED]
    lengths = sorted(
        _statements(ast.walk(node)) - 1 for path in SHIPPED for node in functions(path)
    )
    assert statistics.median(modules) <= MEDIAN_MODULE
    assert lengths[int(len(lengths) * 0.9)] <= P90_FUNCTION


def _statements(found: Iterable[ast.AST]) -> int:
    return sum(
        isinstance(node, ast.stmt)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in found
    )


def _readers() -> dict[str, set[str]]:
    """The modules that import each shipped module, by name; what a package passes on counts for
    those who import it from there.
    """
    named = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for package in PACKAGES
        for path in sorted(package.rglob("*.py"))
    }
    taken: dict[str, list[tuple[str, str]]] = {
        module: [
            (node.module, alias.name)
            for node in nodes(path)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        ]
        for module, path in named.items()
    }
    passed_on = {
        (module, item): home
        for module, path in named.items()
        if path.name == "__init__.py"
        for home, item in taken[module]
    }
    readers: dict[str, set[str]] = {module: set() for module in named}
    for module, names in taken.items():
        for home, item in names:
            submodule = f"{home}.{item}"
            readers.setdefault(
                submodule if submodule in named else passed_on.get((home, item), home), set()
            ).add(module)
    return {module: found - {module} for module, found in readers.items() if module in named}


def test_few_modules_have_a_single_reader() -> None:
    """At most a quarter of the shipped modules have one reader only: such a module is a subject of
    its own, or belongs there.
    """
    readers = _readers()
    single = [module for module, found in readers.items() if len(found) == 1]
    assert len(single) <= len(readers) / 4, single


def test_no_module_has_an_empty_name() -> None:
    """No module is called after nothing in particular."""
    empty = {
        "utils",
        "util",
        "helpers",
        "helper",
        "common",
        "base",
        "manager",
        "handler",
        "service",
        "misc",
    }
    assert [name(path) for path in OURS if path.stem in empty] == []


def test_files_of_tests_have_different_names() -> None:
    """No two test files of the repository have the same name, so that type checkers see each."""
    twice = Counter(path.name for path in TESTS if path.name.startswith("test_"))
    assert [item for item, count in twice.items() if count > 1] == []


def test_modules_of_tests_have_tests() -> None:
    """No module of tests has lost them all: each has a test function, or a class of tests."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    modules = {
        path: [node.name for node in tree(path).body if isinstance(node, kinds)]
        for path in TESTS
        if path.name.startswith("test_")
    }
    assert [
        name(path)
        for path, names in modules.items()
        if not any(one.startswith(("test_", "Test")) for one in names)
    ] == []


# What code says about itself


def test_modules_have_a_docstring() -> None:
    """Each module that holds code says what it is for."""
    assert [
        name(path) for path in OURS if tree(path).body and not ast.get_docstring(tree(path))
    ] == []


def test_tests_say_their_sentence() -> None:
    """Every test function has a docstring that ends as a sentence does."""
    bodies = [
        (name(path), part.body)
        for path in TESTS
        for part in (tree(path), *tree(path).body)
        if hasattr(part, "body")
    ]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    tests = [
        (path, node)
        for path, body in bodies
        for node in body
        if isinstance(node, kinds) and node.name.startswith("test_")
    ]
    silent = [
        f"{path}: {node.name}"
        for path, node in tests
        if not (ast.get_docstring(node) or "").endswith((".", "?", "!"))
    ]
    assert silent == []


def test_exceptions_to_the_linter_have_reasons() -> None:
    """Each `noqa` and `type: ignore` names its rule; a `noqa` gives its reason behind it, on its
    line.
    """
    bare = found(r"#\s*noqa(?!: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)* (\(|- ))", OURS)
    assert bare == []
    assert found(r"#\s*type:\s*ignore(?!\[[a-z-]+)", OURS) == []


def test_few_rules_are_ignored_in_a_line() -> None:
    """At most 120 times: a rule that the house breaks on purpose is turned off once, with its
    argument.
    """
    assert len(found(r"#\s*noqa: ", OURS)) <= 120


def test_docstrings_begin_as_sentences_do() -> None:
    """No docstring of shipped code begins with a question word or points at another one; nothing
    cites a document that is not here.
    """
    starts = re.compile(r"(What|Whether|Who|Whom|The same|As above|So many|Have)\b")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    odd = [
        f"{path}:{getattr(node, 'lineno', 1)}"
        for path in SHIPPED
        for node in nodes(path)
        if isinstance(node, documented) and starts.match(ast.get_docstring(node) or "")
    ]
    assert odd == []
    assert [path for path in SHIPPED if "contract §" in path.read_text(encoding="utf-8")] == []


def test_ignored_rules_have_reasons() -> None:
    """Each rule that a pyproject.toml turns off, for everything or for some files, has its reason
    on its line.
    """
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    general = text.split("\nignore = [\n")[1].split("\n]")[0].splitlines()
    some = text.split("[tool.ruff.lint.per-file-ignores]\n")[1].split("\n\n")[0].splitlines()
    for path in PYPROJECTS:
        some += (
            path.read_text(encoding="utf-8")
            .partition("[tool.ruff.lint.extend-per-file-ignores]\n")[2]
            .partition("\n\n")[0]
            .splitlines()
        )
    assert [line for line in general + some if not re.search(r"# \S+", line)] == []


_DESCRIBE = {"isinstance", "repr", "str", "type"}
"""What only looks at an exception."""


def _keeps(handler: ast.ExceptHandler) -> bool:
    """Whether a handler raises, hands what it caught on whole (to who waits for it), or logs it
    with its traceback.
    """

    def caught(value: ast.expr | None) -> bool:
        return isinstance(value, ast.Name) and value.id == handler.name

    for node in ast.walk(handler):
        if isinstance(node, ast.Raise) or (
            isinstance(node, ast.Return | ast.Assign) and caught(node.value)
        ):
            return True
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if called.endswith("_log.exception"):
            return True
        if isinstance(node, ast.Call) and called not in _DESCRIBE and any(map(caught, node.args)):
            return True
    return False


def test_broad_excepts_are_where_strangers_code_is_called() -> None:
    """Only what calls or imports other people's code swallows every Exception; others raise it
    again, hand it on or log it whole.
    """
    boundaries = {"call", "catalog", "cli", "management"}
    assert found(r"except:", SHIPPED) == []
    handlers = [
        (path, node)
        for path in SHIPPED
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
    ]
    broad = [
        (path, node)
        for path, node in handlers
        if isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
    ]
    swallowed = [(path, node) for path, node in broad if not _keeps(node)]
    assert [
        name(path) for path, node in swallowed if ast.unparse(node.type or node) == "BaseException"
    ] == []
    assert [
        name(path) for path, _ in swallowed if path.relative_to(ROOT).parts[2] not in boundaries
    ] == []


def _is_broad(kind: ast.expr | None) -> bool:
    return kind is None or any(
        isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"}
        for node in ast.walk(kind)
    )


def test_broad_excepts_are_listed() -> None:
    """Each broad ``except`` or ``suppress``, and each module that takes any exception as a value,
    is listed with its reason.
    """
    handlers = [
        (path, node)
        for path in SHIPPED
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
    ]
    broad = Counter(name(path) for path, node in handlers if _is_broad(node.type))
    assert broad == {path: count for path, (count, _) in BROAD.items()}
    assert broad.total() <= 16
    assert {
        line.partition(":")[0]
        for line in found(r"failures import .*\battempt(_foreign)?\b", SHIPPED)
    } == set(FOREIGN)
    assert found(r"suppress\((Base)?Exception\)", SHIPPED) == []


def test_nothing_in_tests_sleeps() -> None:
    """No test waits by sleeping; what must wait in a test is told when to go on."""
    assert (
        found(
            r"\btime\.sleep\(|[^.\w]sleep\(\d",
            [path for path in TESTS if path.name.startswith(("test_", "conftest"))],
        )
        == []
    )


OF_ONE_PROCESS = {
    "runtime/jackfield_store/jackfield_store/runtime/due_loop.py": "of a server's or worker's event loop, which no forked child runs",
    "runtime/jackfield_store/jackfield_store/recording/host_looks.py": "of a database's part, without which a forked child begins",
    "runtime/jackfield/kernel/fork.py": "renews the others",
    "runtime/jackfield_store/jackfield_store/database/batches.py": "made anew by engine",
    "runtime/jackfield_store/jackfield_store/database/postgres.py": "made anew by engine",
    "runtime/jackfield/call/on_loop.py": "made anew by runtime",
    "runtime/jackfield_store/jackfield_store/database/later_sync.py": "made anew by engine",
    "runtime/jackfield/call/closing.py": "the thread that ends a runtime, which is renewed itself",
    "connectors/mcp/jackfield_mcp/listening.py": "of one call, whose thread a fork does not take along",
    "runtime/jackfield/call/handing.py": "of one call, whose thread a fork does not take along",
    "runtime/jackfield/call/streams.py": "of one call, whose thread a fork does not take along",
    "runtime/jackfield/invocation/file_readers.py": "of one call, which a fork does not take along",
    "runtime/jackfield/tracing.py": "the thread that exports the last spans of a server, at its end",
    "runtime/jackfield_isolation/jackfield_isolation/answers.py": "in a connector's own process, which cannot fork",
    "runtime/jackfield_isolation/jackfield_isolation/child.py": "in a connector's own process, which cannot fork",
    "runtime/jackfield_isolation/jackfield_isolation/child_call.py": "in a connector's own process, which cannot fork",
    "runtime/jackfield_isolation/jackfield_isolation/child_sockets.py": "in a connector's own process, which cannot fork",
    "runtime/jackfield_isolation/jackfield_isolation/inbox.py": "part of a process, left to the parent by supervisor",
    "runtime/jackfield_isolation/jackfield_isolation/lines.py": "made anew by supervisor",
    "runtime/jackfield_isolation/jackfield_isolation/process.py": "left to the parent by supervisor",
    "runtime/jackfield_isolation/jackfield_isolation/wire.py": "part of a process, left to the parent by supervisor",
    "runtime/jackfield_store/jackfield_service/subjects/callbacks/dispatcher.py": "started by a server or worker itself, for itself",
    "runtime/jackfield_store/jackfield_store/journal/instance.py": "attached to the database, made anew by engine",
    "runtime/jackfield/wire/sessions.py": "dropped with the connection by leases",
}
"""Modules with locks or threads whose objects a forked child never uses."""
_OF_ENDS = re.compile(
    r"runtime/jackfield/cli/|runtime/jackfield_dapr/|jackfield_service/(shell|subjects/mcp)/|jackfield_market/(commands|testing)/|/jackfield_aws_ses_simulator/"
)
"""Commands, servers and tests: a forked child goes on with none of them."""


def test_what_holds_a_lock_is_renewed_in_a_forked_child() -> None:
    """Each module that makes a lock or a thread makes it for a ``ProcessLocal``, or is listed with
    the reason why it need not.
    """
    holding = found(
        r"threading\.(R?Lock|Condition|Semaphore|BoundedSemaphore|Thread)\(|@cached_property",
        SHIPPED,
    )
    paths = {line.partition(":")[0] for line in holding}
    renewed = {line.partition(":")[0] for line in found(r"\bat_fork\(|\(ProcessLocal\b", SHIPPED)}
    assert {
        path for path in paths - renewed - set(OF_ONE_PROCESS) if not _OF_ENDS.search(path)
    } == set()
    assert set(OF_ONE_PROCESS) <= paths


def test_no_cached_property_opens_the_database() -> None:
    """Python 3.11 computes a ``cached_property`` under one lock for all objects of its class: who
    waits in it for a database that is silent holds up the threads of all others.
    """
    computing = {line.partition(":")[0] for line in found(r"@cached_property", SHIPPED)}
    assert {
        line
        for line in found(r"\.(database|vault)\b", SHIPPED)
        if line.partition(":")[0] in computing
    } == set()


def test_no_test_forks_a_worker_of_pytest() -> None:
    """Tests fork through ``forking``, in a process of their own; the nursery, the warm ones and
    what changes databases are one already. A child waited for has a limit there. The runner forks
    before the first test has begun, the hostile connector in its own process.
    """
    own = {
        "tests/support/forking.py",
        "tests/support/nursery.py",
        "tests/jackfield_isolation/connectors/hostile.py",
    }
    # programs that kill the children that they fork
    own |= {"tests/campaigns/mcp_kills.py", "tests/jackfield/boundary/killing.py"}
    own |= {
        "tests/runner/warm_server.py",
        "tests/runner/forked.py",
        "tests/jackfield_store/database/changing.py",
    }
    # a program that kills its children at each statement
    own |= {"tests/jackfield_store/database/killed_upgrades.py"}
    # programs of hosts, whose ends and forks are what is tested
    own |= {"tests/jackfield/embedding/ending.py", "tests/jackfield/embedding/forking_host.py"}
    # the one waits for what the other has forked
    own |= {"tests/runner/warm_child.py", "tests/runner/warm_child_server.py"}
    assert (
        found(
            r"\b(os|pty)\.(fork|forkpty|waitpid)[(]|preexec_fn[=]",
            [path for path in TESTS if name(path) not in own],
        )
        == []
    )


def test_warnings_are_errors() -> None:
    """A warning fails a test, and so does an unknown marker or an unexpected pass."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for habit in (
        'filterwarnings = ["error"',
        "--strict-markers",
        "xfail_strict = true",
        "strict = true",
    ):
        assert habit in text


# What the repository must not say


def test_no_machine_is_named() -> None:
    """No file names a folder of somebody's machine."""
    suspects = [
        path for path in texts() if re.search(r"/(root|work|tmp|home|Users)/", content(path))
    ]
    homes = found(r"(?<![\w.:/])/(root|work|home/\w+|Users/\w+)/", suspects)
    assert [line for line in homes if not re.match(r"(connectors/[a-z-]+/)?tests/", line)] == []
    assert found(r"(?<![\w.:/])/(root|work)/", suspects) == []
    assert [
        line
        for line in found(r"(?<![\w.:/])/tmp/", suspects)
        if "tests/" not in line.partition(":")[0]
    ] == []


def test_no_index_is_named() -> None:
    """No file names a package index: which one to use is the installer's business."""
    assert found(r"pypi\.org|pythonhosted\.org|--(extra-)?index-url", texts()) == []


def test_nobody_installs_a_strangers_package() -> None:
    """No text installs `runtime` by that bare word, which is a stranger's package."""
    assert found(r"\b(install|wheel|download)( -\S+)* runtime\b(?!/)", texts()) == []


def test_packages_of_npm_are_pinned_and_run_nothing_when_they_are_installed() -> None:
    """Each has the SHA-512 of what is installed, which npm compares, and no script; the lock names
    no other origin than npm's own index.
    """
    lock = json.loads((ROOT / "tests" / "clients" / "package-lock.json").read_text())
    packages = {place: about for place, about in lock["packages"].items() if place}
    assert [
        place for place, about in packages.items() if not about["integrity"].startswith("sha512-")
    ] == []
    assert [
        place
        for place, about in packages.items()
        if about.get("hasInstallScript") or "resolved" in about
    ] == []
    assert "npm ci --ignore-scripts" in (ROOT / ".ci" / "clients").read_text()


def test_readme_is_short() -> None:
    """The README has at most 80 lines."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


# What holds across files


def test_decisions_are_listed_and_short() -> None:
    """Each decision is listed, numbered without a gap, and says what, why and at what cost."""
    folder = ROOT / "docs" / "decisions"
    pages = sorted(folder.glob("[0-9]*.md"))
    listed = re.findall(r"\]\(([^)]+)\)", (folder / "index.md").read_text(encoding="utf-8"))
    assert listed == [page.name for page in pages]
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert all(word in text for word in ("**Decided.**", "**Why.**", "**Cost.**")), page.name


def test_projects_agree() -> None:
    """All packages ask for the same Python and carry the same licence; those made from a provider's
    document add that document's.
    """
    said = {
        key: {
            line
            for path in PYPROJECTS
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.startswith(f"{key} =")
        }
        for key in ("requires-python", "license", "build-backend")
    }
    added = [line for line in said["license"] if line.endswith(' AND MIT"')]
    assert all(
        (path.parent / "openapi.json").is_file()
        for path in PYPROJECTS
        if 'AND MIT"' in path.read_text(encoding="utf-8")
    )
    said["license"] = {
        line.replace(" AND MIT", "") if line in added else line for line in said["license"]
    }
    assert {key: len(lines) for key, lines in said.items()} == {
        "requires-python": 1,
        "license": 1,
        "build-backend": 1,
    }


def test_each_command_is_documented() -> None:
    """Each built-in command has a section in the reference of the command line, and each section is
    about one.
    """
    from jackfield.cli.commands import BUILT_IN
    from jackfield.kernel.packages import DECLARED

    pages = (ROOT / "docs" / "reference").glob("cli*.md")
    sections = [
        name
        for page in pages
        for name in re.findall(r"^## ([a-z-]+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(sections) == sorted(
        [*BUILT_IN, *(name for name, (_, extra) in DECLARED["jackfield.commands"].items() if extra)]
    )


def test_each_option_is_documented() -> None:
    """Each option of `jackfield invoke` is in the reference of the command line."""
    from jackfield.cli.invoke import VERBS

    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    flags = VERBS[""].parser("invoke").flags
    assert [
        flag for flag in flags if flag.startswith("--") and flag != "--help" and flag not in page
    ] == []


def test_each_variable_is_documented() -> None:
    """Each environment variable of ours that the code reads is in the documentation."""
    read = {
        match
        for path in SHIPPED
        for match in re.findall(r"\"(JACKFIELD_[A-Z_]+)\"", path.read_text(encoding="utf-8"))
    }
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert [variable for variable in sorted(read) if variable not in page] == []


@pytest.mark.parametrize(
    "module",
    [
        "jackfield",
        "jackfield.kernel.errors",
        "jackfield.manifest.manifest",
        "jackfield.catalog",
        "jackfield.cli.main",
    ],
)
def test_cold_path_needs_the_standard_library_only(module: str) -> None:
    """Importing what every cold command needs imports nobody else's package."""
    theirs = (
        "pydantic jsonschema_rs jsonschema pluggy cryptography yaml rich packaging boto3 botocore"
    )
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'runtime')!r}); before = "
        f"set(sys.modules); import {module}; "
    )
    code += f"print(*sorted(set({theirs!r}.split()) & (set(sys.modules) - before)))"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_each_target_of_make_has_a_rule() -> None:
    """A name that is declared as a target, or that ``make test`` asks for, has a rule: without one,
    make does nothing and is content.
    """
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    declared = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE).group(1).split())  # type: ignore[union-attr]
    asked = set(re.search(r"--jobs \d+ (.*)$", text, re.MULTILINE).group(1).split())  # type: ignore[union-attr]
    assert (declared | asked) - rules == set()
    assert {"unit", "wheels", "drift"} <= asked


def test_each_test_belongs_to_one_tier() -> None:
    """``make test-1``, ``test-2`` and ``test-3`` run all tests together, and none twice; each
    folder of code has a tier, and each extra a target.
    """
    ran = [name for tier in ("1", "2", "3") for name in _tests_of(tier)]
    assert sorted(ran) == sorted(
        path.relative_to(ROOT).as_posix()
        for folder in ("tests", "connectors/*/tests")
        for path in ROOT.glob(f"{folder}/**/test_*.py")
    )
    found = tomllib.loads((ROOT / ".ci" / "tiers.toml").read_text(encoding="utf-8"))
    folders = {folder for part in (found["1"], found["2"], *found["3"].values()) for folder in part}
    code = {path.parent.relative_to(ROOT).as_posix() for path in PYPROJECTS}
    # extras by their own names
    alone = {folder for folder in code - folders if folder.startswith("connectors/")}
    assert code - folders - alone == {".", "runtime/jackfield_store", "tests/connectors/echo"}
    extras = [
        *found["3"],
        *(path.removeprefix("connectors/") for path in alone if (ROOT / path / "tests").exists()),
    ]
    # Airflow has an environment of its own
    by_name = [name for extra in extras if extra != "hosts" for name in _tests_of(extra)]
    assert sorted(by_name) == sorted(_tests_of("3"))


def _tests_of(name: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "tiers.py"), name],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()

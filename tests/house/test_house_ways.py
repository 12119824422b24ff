"""One way per idea: the single places that know a library or a mechanism, the size of each
distribution, and what may know each other.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from benchmarks.pipe_mutations import MUTATIONS
from tests.house.parsed import nodes

from jackfield.connector.hooks import HOOKS

ROOT = Path(__file__).parents[2]
PACKAGES = {
    folder.name: folder
    for folder in (
        ROOT / "runtime" / "jackfield",
        *ROOT.glob("runtime/jackfield_*/jackfield_*"),
        *ROOT.glob("connectors/*/jackfield_*"),
    )
}
MODULES = {
    path.relative_to(folder.parent).as_posix(): path
    for folder in PACKAGES.values()
    for path in sorted(folder.rglob("*.py"))
}

_SERVED = re.compile(
    r"(jackfield_service/subjects/(?:[a-z_]+/(?:http|page|pages|operations|sweeps)|mcp)(?:\.py)?)(?:/|\Z)"
)
SERVED = {match[1] for match in map(_SERVED.match, MODULES) if match}
"""What of a subject serves requests, by its fixed names; and the MCP endpoint."""
LIBRARIES = {
    "boto3": {
        f"jackfield_aws/{name}.py"
        for name in ("boto3_calls", "boto3_parts", "boto3_sessions", "clients", "direct/switch")
    },
    "botocore": {"jackfield_aws", "jackfield_aws_ses", "jackfield_aws_ses_simulator"},
    "celery": {"jackfield_celery"},
    "grpc": {"jackfield_dapr"},
    "h11": set(),
    "h2": set(),
    "httpcore2": {"jackfield_http/http2.py"},
    "httpx2": set(),
    "imapclient": {"jackfield_imap/session.py"},
    "imaplib": {"jackfield_imap/session.py"},
    "jsonschema": {"jackfield_market/testing/declarations.py"},
    "jsonschema_rs": {
        "jackfield/schema/engine.py",
        "jackfield/kernel/patterns.py",
        "jackfield_openapi",
    },
    "jwt": {"jackfield_service/shell/identity/jwts.py"},
    "markdown_it": {"jackfield/kernel/markup.py"},
    "mcp": {"jackfield_service/subjects/mcp"},
    "obstore": {"jackfield_store/files/s3.py"},
    "opentelemetry": {"jackfield/tracing.py"},
    "paramiko": {"jackfield_sftp/session.py"},
    "pika": {"jackfield_rabbitmq"},
    "pluggy": {"jackfield/connector/hooks.py"},
    "prometheus_client": {"jackfield_service/shell/process/metrics.py"},
    "psycopg": {"jackfield_store/database", "jackfield_postgresql"},
    "pymysql": {"jackfield_mysql/session.py", "jackfield_mysql/values.py"},
    "redis": {"jackfield_redis/session.py"},
    "rich": {
        "jackfield/cli/drawn.py",
        "jackfield/cli/lines.py",
        "jackfield_aws_ses_simulator/show.py",
    },
    "smtplib": {"jackfield_aws_ses/smtp"},
    "sqlite3": {"jackfield_store/database"},
    "starlette": {"jackfield_dapr/sidecar", "jackfield_service/shell", *SERVED},
    "tuf": {"jackfield_market"},
    "yaml": {"jackfield/connections/yaml_documents.py", "jackfield_openapi/reading.py"},
}
"""Modules and folders that know a library; everybody else asks them."""
MECHANISMS = {
    "os.register_at_fork": {"jackfield/kernel/fork.py"},
    "os.fork": {"jackfield_isolation/sandbox/probe.py"},
    "html.escape": {"jackfield_dapr/workflow/notifying.py"},
    "argparse.ArgumentParser": {
        "jackfield/cli/parsing.py",
        "jackfield_aws/virtual/index_change.py",
    },
    "ssl.create_default_context": {"jackfield/wire/tls.py"},
    "time.monotonic": {
        *(f"jackfield/{name}" for name in ("kernel/clock.py", "catalog/installed.py", "cli")),
        *(
            f"jackfield_store/{name}"
            for name in ("commands", "database/shared_clock.py", "resources/move.py")
        ),
        *(
            "jackfield_celery",
            "jackfield_dapr",
            "jackfield_isolation",
            "jackfield_market",
            "jackfield_service/shell",
            "jackfield_aws_ses_simulator",
            *(
                f"jackfield_service/subjects/{name}"
                for name in ("connections/command", "events/reader.py")
            ),
        ),
    },
    "uvicorn.Server": {"jackfield_service/shell", "jackfield_dapr/sidecar"},
}
"""Modules and folders that call a function of a library; everybody else uses what they made of
it.
"""
DEFINITIONS = {
    "__reduce__": {
        "jackfield/kernel/secrecy.py",
        "jackfield/kernel/hints.py",
        "jackfield_store/database/faults.py",
        "jackfield/kernel/errors.py",
        "jackfield/kernel/failures.py",
        "jackfield/kernel/exact.py",
    }
}
PROJECTS = [
    ROOT / "pyproject.toml",
    *ROOT.glob("runtime/*/pyproject.toml"),
    *ROOT.glob("connectors/*/pyproject.toml"),
]
MOST_GROUPS, MOST_HOOKS = 11, 5
"""Ways to extend jackfield (decision 0121)."""
LOOK_UP = ("groups.get", "entry_points", "self._groups.get", "declared", "chosen", "of_role")
_GROUP = re.compile(r"(?:entry-points\.\"|`)(jackfield\.[a-z_]+)[\"`]")
_NAME = re.compile(r"jackfield\.[a-z_]+")
TWICE = {"": 1}
"""Number of names of public classes that a distribution, by its folder, defines more than once; the
framework has no folder of its own.
"""
MOST_PARAMETERS = 8
WIDE = {"Connector", "Jackfield", "Opener", "once"}
"""Declarations of authors and of programs, and the public façade, whose parameters are keywords;
and the stage of the pipe that needs its whole process.
"""


@cache
def _imports(path: Path) -> frozenset[str]:
    whole = {
        alias.name for node in nodes(path) if isinstance(node, ast.Import) for alias in node.names
    }
    parts = {
        f"{n.module}.{alias.name}"
        for n in nodes(path)
        if isinstance(n, ast.ImportFrom) and n.module
        for alias in n.names
    }
    return frozenset(whole | parts)


def _outside(places: set[str], found: Iterator[str]) -> list[str]:
    return sorted(
        place
        for place in found
        if not any(place == known or place.startswith(f"{known}/") for known in places)
    )


def test_a_library_is_known_where_it_is_adapted() -> None:
    """Each library is imported in its place only, so that it can be replaced there."""
    known = {
        library: _outside(places, (n for n, p in MODULES.items() if _uses(p, library)))
        for library, places in LIBRARIES.items()
    }
    assert {library: places for library, places in known.items() if places} == {}


def _uses(path: Path, library: str) -> bool:
    return any(name.split(".")[0] == library for name in _imports(path))


def test_a_mechanism_has_one_place() -> None:
    """What exists once is called in its place only: all others use what that made of it."""
    calls = [
        (ast.unparse(node.func), name)
        for name, path in MODULES.items()
        for node in nodes(path)
        if isinstance(node, ast.Call)
    ]
    known = {
        call: _outside(places, (name for found, name in calls if found == call))
        for call, places in MECHANISMS.items()
    }
    assert {call: places for call, places in known.items() if places} == {}


def test_ways_to_extend_are_few_and_documented() -> None:
    """Each group of entry points that a project declares or a module reads is in the reference;
    groups and hooks become fewer only.
    """
    page = (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")
    listed = {
        group
        for line in page.splitlines()
        if line.startswith("- `jackfield.")
        for group in _GROUP.findall(line.partition(": ")[0])
    }
    declared = {
        group for path in PROJECTS for group in _GROUP.findall(path.read_text(encoding="utf-8"))
    }
    read = {group for path in MODULES.values() for group in _groups_read(path)}
    assert (declared | read) - listed == set()
    assert listed - (declared | read) == set()
    assert len(listed) <= MOST_GROUPS
    assert len(HOOKS) <= MOST_HOOKS


def _groups_read(path: Path) -> Iterator[str]:
    """The groups that a module looks up: texts, or names of texts, that it gives to a function
    which looks entry points up.
    """
    texts = {
        ast.unparse(node.targets[0]): node.value
        for node in nodes(path)
        if isinstance(node, ast.Assign)
    }
    for node in nodes(path):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(LOOK_UP):
            given = [*node.args[:1], *(one.value for one in node.keywords if one.arg == "group")]
            found = [texts.get(ast.unparse(one), one) for one in given]
            yield from (
                str(text.value)
                for text in found
                if isinstance(text, ast.Constant) and _NAME.fullmatch(str(text.value))
            )


def test_a_class_name_means_one_thing_in_a_distribution() -> None:
    """A public class has a name that no other class of its distribution has; the names that stand
    twice become fewer only.
    """
    twice = {
        "" if project.parent == ROOT else project.parent.name: sorted(_twice(project))
        for project in PROJECTS
    }
    assert {name: found for name, found in twice.items() if len(found) > TWICE.get(name, 0)} == {}


def _twice(project: Path) -> Iterator[str]:
    """The names of public classes that the import packages of a project define more than once."""
    folders = tomllib.loads(project.read_text(encoding="utf-8"))["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]["packages"]
    paths = [path for folder in folders for path in (project.parent / folder).rglob("*.py")]
    found = Counter(
        node.name
        for path in paths
        for node in nodes(path)
        if isinstance(node, ast.ClassDef) and node.name[0] != "_"
    )
    yield from (name for name, many in found.items() if many > 1)


def test_secrets_are_kept_from_pickles_in_one_place() -> None:
    """``SecretHolder`` says how an object with secrets is copied; ``__reduce__`` by hand is for
    errors and numbers only.
    """
    functions = [
        (node.name, name)
        for name, path in MODULES.items()
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef)
    ]
    for definition, places in DEFINITIONS.items():
        assert _outside(places, (name for found, name in functions if found == definition)) == []


def test_mistakes_of_campaigns_fit_the_pipe() -> None:
    """``make campaign mutations`` puts each of its mistakes in the place of a text that its module
    has once: a change of that text changes the mistake, too.
    """
    texts = {
        mutation.module: MODULES[mutation.place].read_text(encoding="utf-8")
        for mutation in MUTATIONS
    }
    assert [
        mutation.says for mutation in MUTATIONS if texts[mutation.module].count(mutation.old) != 1
    ] == []


def test_no_group_is_repeated_possessively() -> None:
    """CPython before 3.11.5 does not give back what such a repetition has begun and cannot complete
    (gh-106052): ``(?:ab?c)*+`` matches "a". That of single characters is right, and a group whose
    parts begin differently takes as long without.
    """
    wrong = re.compile(r"(?<![\\(])\)(?:[*+?]|\{[0-9,]+\})\+")
    assert wrong.search("(?:ab?c)*+")
    assert [
        name for name, path in MODULES.items() if wrong.search(path.read_text(encoding="utf-8"))
    ] == []


def test_constructors_take_few_parameters() -> None:
    """A class that needs more than eight things to begin is two classes; data apart, whose members
    are its parameters.
    """
    wide = {
        node.name
        for path in MODULES.values()
        for node in nodes(path)
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name == "__init__"
        if len([*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs]) - 1
        > MOST_PARAMETERS
    }
    assert wide <= WIDE


def test_no_modules_know_each_other() -> None:
    """No module reaches itself over others, not for annotations either: a Protocol beside the
    reader says what it needs.
    """
    names = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for name, path in MODULES.items()
    }
    graph = {
        name: {
            found
            for text in _imports(path)
            if (found := text if text in names else text.rpartition(".")[0]) in names
            and found != name
        }
        for name, path in names.items()
    }
    assert {circle for circle in _circles(graph) if len(circle) > 1} == set()


def _circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """The strongly connected components, as sets of what each module reaches and is reached by."""
    left = dict(graph)
    # what leads to no circle is in none
    while ends := {name for name, known in left.items() if not known & left.keys()}:
        left = {name: known for name, known in left.items() if name not in ends}
    reached = {name: _reached(left, name) for name in left}
    return {
        frozenset({name} | {other for other in reached[name] if name in reached[other]})
        for name in left
    }


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] & graph.keys() - found
        found |= new
        waiting.extend(new)
    return found

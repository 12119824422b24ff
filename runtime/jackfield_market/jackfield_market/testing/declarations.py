"""Conformance rules that inspect a connector's declarations without running it."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pickle
import re
import socket
import subprocess
import sys
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from unittest import mock

from jackfield.connector.actions import OptionSource
from jackfield.invocation import Invocation
from jackfield.invocation.provider_ids import marked_places
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.pointers import LAST, alternatives, unescaped
from jackfield_market.testing.secret_marks import secrets_marked
from jackfield_market.testing.subject import Rule, Subject

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_IMPORT = 60
"""Maximum duration of an import, in seconds."""
_CAMEL = re.compile(r"[a-z][A-Za-z0-9]*")
_HOST = frozenset({"domain", "endpoint", "host", "hostname", "server", "url", "uri"})
_HOST_FORMATS = frozenset({"uri", "hostname", "idn-hostname", "ipv4", "ipv6"})


def _manifest_matches_code(subject: Subject) -> Iterator[str]:
    if subject.differs:
        yield (
            "connector.json differs from what the code declares: generate it again and "
            "review the diff"
        )


def _manifest_in_package(subject: Subject) -> Iterator[str]:
    packages = {
        action.function.__module__.partition(".")[0]
        for action in subject.connector.actions.values()
    }
    if len(packages) > 1:
        yield f"its actions are in several packages: {', '.join(sorted(packages))}"
    if not (subject.folder / "connector.json").is_file():
        yield f"connector.json is not package data of '{subject.module}'"


def _schemas_closed(subject: Subject) -> Iterator[str]:
    described = {
        f"output of {action.key}"
        for action in subject.manifest.actions.values()
        if action.only_describes
    }
    described |= {
        f"inputs of {action.key}"
        for action in subject.manifest.actions.values()
        if "mcp" in action.content.row
    }
    for where, schema in _schemas(subject):
        try:
            subject.compiled(where, schema)
        except (ValueError, JackfieldError) as error:
            yield f"{where} does not compile: {error}"
        if schema.get("additionalProperties") is not False and where not in described:
            yield f"{where} allows unknown members"


def _everything_explained(subject: Subject) -> Iterator[str]:
    about = [
        (action.key, action.title, action.description)
        for action in subject.manifest.actions.values()
    ]
    about += [
        (kind.key, kind.title, kind.description)
        for kind in subject.manifest.connection_types.values()
    ]
    yield from (
        f"'{key}' has no title or no description"
        for key, title, description in about
        if not (title and description)
    )
    for action in subject.manifest.actions.values():
        in_body = action.content.row.get("http", {}).get("body", {}).get("members", ())
        for name, field in action.inputs.get("properties", {}).items():
            # a body's members are described as far as the provider does it
            if not field.get("description") and name not in in_body:
                yield f"inputs of {action.key}: '{name}' has no description"


def _examples_present(subject: Subject) -> Iterator[str]:
    yield from (
        f"'{action['key']}' has no example"
        for action in subject.manifest.raw["actions"]
        if not action.get("examples")
    )


def _examples_valid(subject: Subject) -> Iterator[str]:
    for action in subject.manifest.raw["actions"]:
        described = subject.manifest.actions[action["key"]]
        inputs = subject.compiled(f"inputs of {described.key}", described.inputs)
        output = subject.compiled(f"output of {described.key}", described.output)
        for example in action["examples"]:
            invocation = Invocation.from_json(example["invocation"])
            if invocation.action != action["key"]:
                yield f"an example of '{action['key']}' runs '{invocation.action}'"
            faults = (
                *inputs.check(invocation.inputs).details,
                *output.judge(example["result"]["output"]),
            )
            yield from (
                f"the example of '{action['key']}' at {fault.path or '/'}: {fault.message}"
                for fault in faults
            )


def _schemas_mean_the_same(subject: Subject) -> Iterator[str]:
    """Yield each disagreement with a second library about the schemas, an example, or a variant of
    an example.
    """
    try:
        from jsonschema import Draft202012Validator, SchemaError
    except ImportError:
        yield "jsonschema is not installed: install jackfield[testing]"
        return
    for where, schema in _without_repeats(_schemas(subject)):
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            yield f"jsonschema rejects {where}: {error.message}"
    for where, schema, values, varied in _example_values(subject):
        ours, other = subject.compiled(where, schema), Draft202012Validator(schema)
        try:
            if any(
                other.is_valid(value) is bool(ours.judge(value))
                for value in _variants(values, varied)
            ):
                yield (
                    f"{where}: jsonschema disagrees about the example, or about a variant "
                    "with a member omitted or of another type"
                )
        except re.error as error:
            yield f"{where}: Python cannot compile one of its patterns: {error}"


def _without_repeats(
    schemas: Iterable[tuple[str, Mapping[str, Any]]],
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield schemas without definitions that an earlier schema contains too: connectors with many
    actions share most definitions.
    """
    seen: dict[str, Any] = {}
    for where, schema in schemas:
        definitions = schema.get("$defs", {})
        yield (
            where,
            {
                **schema,
                "$defs": {
                    name: part
                    for name, part in definitions.items()
                    if name not in seen or seen[name] != part
                },
            },
        )
        seen |= definitions


def _example_values(
    subject: Subject,
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any], tuple[str, ...]]]:
    for action in subject.manifest.raw["actions"]:
        described = subject.manifest.actions[action["key"]]
        for example in action.get("examples", ()):
            prepared = subject.compiled(f"inputs of {described.key}", described.inputs).check(
                example["invocation"]["inputs"]
            )
            yield (
                f"inputs of {action['key']}",
                described.inputs,
                prepared.value,
                tuple(prepared.value),
            )
            shown = example["result"]["output"]
            most = _FEW_VARIED if described.only_describes else len(shown)
            yield f"output of {action['key']}", described.output, shown, tuple(shown)[:most]


_FEW_VARIED = 3
"""Maximum number of varied members of an output whose schema only describes: objects of providers
can have a hundred members.
"""


def _variants(values: Mapping[str, Any], varied: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    odd: tuple[Any, ...] = (None, True, 0, 0.5, [], {}, [None])
    yield values
    for name in varied:
        yield {other: value for other, value in values.items() if other != name}
        yield from ({**values, name: value} for value in odd)


def _paging_names_exist(subject: Subject) -> Iterator[str]:
    for action in subject.manifest.actions.values():
        paging = action.pagination
        if paging is not None:
            inputs = {name for name, _ in paging.tokens}
            wanted = (
                {*inputs, paging.all_input, paging.size_input}
                - {None}
                - {*action.inputs["properties"]}
            )
            named = {
                *(path for _, path in paging.tokens),
                *paging.merged,
                *([paging.more] if paging.more else []),
            }
            absent = {path for path in named if not _leads(action.output, path)}
            yield from (
                f"paging of '{action.key}' names '{name}', which its inputs do not have"
                for name in sorted(map(str, wanted))
            )
            yield from (
                f"paging of '{action.key}' names '{name}', which its output does not have"
                for name in sorted(map(str, absent))
            )


def _leads(schema: Mapping[str, Any], path: str) -> bool:
    """Return whether each alternative of a path leads to a member of the schema."""
    return all(_follows(schema, steps) for steps in alternatives(path))


def _follows(schema: Mapping[str, Any], steps: tuple[str, ...]) -> bool:
    parts = _parts_of(schema, schema)
    for step in steps:
        inner = [
            part["items"] if step == LAST else part["properties"][step]
            for part in parts
            if _has(part, step)
        ]
        if not inner:
            return False
        parts = [each for part in inner for each in _parts_of(schema, part)]
    return True


def _has(part: Mapping[str, Any], step: str) -> bool:
    return "items" in part if step == LAST else step in part.get("properties", {})


def members_of(schema: Mapping[str, Any]) -> set[str]:
    """Return the names of members that an object's schema declares, including the schemas that it
    is composed of.
    """
    return {name for part in _parts_of(schema, schema) for name in part.get("properties", {})}


def _parts_of(whole: Mapping[str, Any], schema: Any) -> list[Mapping[str, Any]]:
    """Return a schema and the schemas that it is composed of; ``whole`` contains the
    definitions.
    """
    todo, seen = [schema], list[Mapping[str, Any]]()
    while todo:
        part = todo.pop()
        if not isinstance(part, Mapping) or part in seen:
            continue
        seen.append(part)
        todo += [each for word in ("allOf", "anyOf", "oneOf") for each in part.get(word, ())]
        name = unescaped(str(part.get("$ref", "")).removeprefix("#/$defs/"))
        todo.append(whole.get("$defs", {}).get(name))
    return seen


def _limits_name_what_exists(subject: Subject) -> Iterator[str]:
    for kind in subject.manifest.connection_types.values():
        served = [key for key in subject.manifest.actions if kind.can_serve(key)]
        if kind.serves is not None and {*kind.serves.actions} != {*served}:
            yield f"'{kind.key}' serves actions that do not exist"
        for name in kind.waives:
            models = [
                subject.connector.actions[key].inputs
                for key in served
                if name in subject.manifest.actions[key].inputs["properties"]
            ]
            fields = [
                field
                for model in models
                for field in model.model_fields.values()
                if field.alias == name
            ]
            if not fields or not all(
                type(None) in typing.get_args(field.annotation) for field in fields
            ):
                yield (
                    f"'{kind.key}' waives '{name}', which none of its actions has, or which "
                    "cannot be None"
                )


def _options_exist(subject: Subject) -> Iterator[str]:
    known = {source["key"] for source in subject.manifest.raw.get("optionSources", ())}
    for where, schema in _schemas(subject):
        for name, field in schema.get("properties", {}).items():
            source = field.get("x-jackfield", {}).get("options")
            if source is not None and source not in known:
                yield (
                    f"{where}: '{name}' takes its choices from '{source}', which is not an "
                    "option source"
                )


def _destinations_marked(subject: Subject) -> Iterator[str]:
    for kind in subject.manifest.connection_types.values():
        for name, field in kind.schema.get("properties", {}).items():
            words = {word.lower() for word in _WORDS.findall(name)}
            names_host = field.get("format") in _HOST_FORMATS or (
                field.get("type") == "string" and _HOST.intersection(words)
            )
            if names_host and not field.get("x-jackfield", {}).get("destination"):
                yield (
                    f"'{name}' of '{kind.key}' determines where secrets are sent but is not "
                    "marked 'destination'"
                )


def _recipients_marked(subject: Subject) -> Iterator[str]:
    marked = {
        key: {place[0] for place in marked_places(about.inputs, "recipient")}
        for key, about in subject.manifest.actions.items()
    }
    names = set[str]().union(*marked.values())
    for key, about in subject.manifest.actions.items():
        if about.effect != "read":
            for name in sorted((names - marked[key]) & about.inputs.get("properties", {}).keys()):
                yield (
                    f"'{name}' of '{key}' is not marked 'recipient', as it is in other "
                    "actions: a connection's guard does not see it"
                )


def _values_hold_secrets_back(subject: Subject) -> Iterator[str]:
    for kind in subject.connector.connections.values():
        values = kind.model_construct(None, **dict.fromkeys(kind.model_fields, "planted-secret"))
        if "planted-secret" in repr(values) + str(values):
            yield f"the str or repr of '{kind.key}' shows its values"
        with contextlib.suppress(TypeError):
            pickle.dumps(values)
            yield f"'{kind.key}' can be pickled"


def _import_is_quiet(subject: Subject) -> Iterator[str]:
    """Import the package again in isolation, and yield a fault if it prints or connects to
    anything.
    """
    aside = {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] == subject.module
    }
    reached: list[Any] = []

    def refuse(_socket: object, address: object) -> None:
        reached.append(address)
        raise ConnectionRefusedError("importing a connector must not open network connections")

    printed = io.StringIO()
    try:
        for name in aside:
            del sys.modules[name]
        with (
            contextlib.redirect_stdout(printed),
            mock.patch.object(socket.socket, "connect", refuse),
        ):
            try:
                importlib.import_module(subject.module)
            except OSError as error:
                yield f"the import fails: {error}"
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == subject.module]:
            del sys.modules[name]
        sys.modules.update(aside)
    if printed.getvalue():
        yield f"the import prints: {printed.getvalue()[:80]!r}"
    if reached:
        yield f"the import opens a connection to {reached[0]}"


_PROBE = """
import importlib, os, sys, threading
import jackfield.connector, jackfield.connector.declare
before = {"environment variables": dict(os.environ), "the current folder": os.getcwd(), "sys.path": [*sys.path]}
threads = threading.active_count()
importlib.import_module(sys.argv[1])
after = {"environment variables": dict(os.environ), "the current folder": os.getcwd(), "sys.path": [*sys.path]}
faults = [f"the import changes {name}" for name in before if before[name] != after[name]]
faults += ["the import starts a thread"] if threading.active_count() > threads else []
sys.stderr.write("\\n".join(faults))
sys.stderr.flush()
os._exit(0)
"""


def _import_changes_nothing(subject: Subject) -> Iterator[str]:
    """Import the package in another process, and yield what it changes: a second import in this
    process may change nothing more.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", _PROBE, subject.module]
    try:
        done = subprocess.run(
            command,
            cwd=subject.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_IMPORT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        yield f"the import has not ended within {_IMPORT} seconds"
        return
    lines = done.stderr.splitlines()
    yield from lines if done.returncode == 0 else lines[-1:]


def _names_keep_to_form(subject: Subject) -> Iterator[str]:
    # from a description of the service, whose names the inputs keep
    is_made = not {"model", "mcp"}.isdisjoint(subject.manifest.raw)
    named: list[tuple[str, str, Mapping[str, Any]]]
    named = [
        ("action", key, {} if is_made else action.inputs)
        for key, action in subject.manifest.actions.items()
    ]
    named += [
        ("connection type", key, kind.schema)
        for key, kind in subject.manifest.connection_types.items()
    ]
    named += [
        ("trigger", key, trigger.inputs) for key, trigger in subject.manifest.triggers.items()
    ]
    for noun, key, schema in named:
        wrong = [
            name for name in (key, *schema.get("properties", {})) if not _CAMEL.fullmatch(name)
        ]
        yield from (f"{noun} '{key}': '{name}' is not in camelCase" for name in wrong)


def _values_of(source: OptionSource) -> list[str]:
    return [option.value for option in source.choices()]


def _option_sources_answer(subject: Subject) -> Iterator[str]:
    for source in subject.connector.option_sources.values():
        if source.takes_client:
            continue
        options = attempt(_values_of, source)
        if isinstance(options, Raised):
            yield f"'{source.key}' fails: {type(options.error).__name__}: {options.error}"[:200]
        elif not options or len({*options}) < len(options):
            yield f"'{source.key}' returns {'a choice twice' if options else 'no choice'}"


def _schemas(subject: Subject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for action in subject.manifest.actions.values():
        yield f"inputs of {action.key}", action.inputs
        yield f"output of {action.key}", action.output
    for kind in subject.manifest.connection_types.values():
        yield f"connection type {kind.key}", kind.schema
    for trigger in subject.manifest.triggers.values():
        yield f"inputs of trigger {trigger.key}", trigger.inputs


DECLARATIONS = (
    Rule(
        "manifest-matches-code",
        "The committed connector.json equals what the code declares.",
        _manifest_matches_code,
        "bronze",
        "Write it again with 'jackfield check . --write-manifest', and review its diff: callers "
        "rely on it.",
    ),
    Rule(
        "manifest-in-package",
        "connector.json is package data of the package that declares the connector.",
        _manifest_in_package,
        "bronze",
        "Put connector.json beside the package's __init__.py, and all actions into that package.",
    ),
    Rule(
        "schemas-closed",
        "Schemas compile and refuse unknown members.",
        _schemas_closed,
        "bronze",
        "Correct the schema, or use models of Inputs, Output and ConnectionType, which are closed.",
    ),
    Rule(
        "everything-explained",
        "Actions, connection types and inputs have descriptions.",
        _everything_explained,
        "silver",
        "Write a docstring for the action or type, and 'description' for the field.",
    ),
    Rule(
        "examples-present",
        "Each action has an example.",
        _examples_present,
        "silver",
        "Declare an example: @connector.action(…, examples=[…]).",
    ),
    Rule(
        "examples-valid",
        "Examples are valid against the schemas.",
        _examples_valid,
        "bronze",
        "Correct the example, or the schema that refuses it.",
    ),
    Rule(
        "schemas-mean-the-same",
        "A second validator (jsonschema) agrees about the schemas and the examples.",
        _schemas_mean_the_same,
        "silver",
        "Use patterns and keywords that every validator of JSON Schema 2020-12 interprets alike.",
    ),
    Rule(
        "paging-names-exist",
        "Pagination names only members that exist in the schemas.",
        _paging_names_exist,
        "bronze",
        "Declare the member, such as 'page_size' for Pages with 'largest', or correct the name "
        "in Pagination(…): it is that in JSON.",
    ),
    Rule(
        "limits-name-what-exists",
        "Connection types serve and waive only actions and inputs that exist.",
        _limits_name_what_exists,
        "bronze",
        "Correct 'serves' or 'waives' of the connection type.",
    ),
    Rule(
        "options-exist",
        "Inputs take their choices only from option sources that exist.",
        _options_exist,
        "bronze",
        "Declare the source with @connector.options, or correct the field's 'options'.",
    ),
    Rule(
        "secrets-marked",
        "A text named like a secret is marked as one: in connections, inputs and outputs, at any "
        "depth.",
        secrets_marked,
        "bronze",
        "Declare the field with secret=True, or with secret=False if it is not a secret.",
    ),
    Rule(
        "destinations-marked",
        "A value that determines where secrets are sent is marked 'destination'.",
        _destinations_marked,
        "bronze",
        "Declare the field with destination=True.",
    ),
    Rule(
        "recipients-marked",
        "An input that names recipients is marked 'recipient' in each action that may send, so "
        "that a connection's guard compares them.",
        _recipients_marked,
        "bronze",
        "Declare the field with recipient=True; rename it if it names no recipients.",
    ),
    Rule(
        "values-hold-secrets-back",
        "Connection values are shown neither by repr nor by pickle.",
        _values_hold_secrets_back,
        "bronze",
        "Remove __repr__, __str__ and __reduce__ from the connection type.",
    ),
    Rule(
        "import-is-quiet",
        "Importing the connector prints nothing and opens no network connection.",
        _import_is_quiet,
        "bronze",
        "Move code that prints or connects from module level into the function that needs it.",
    ),
    Rule(
        "import-changes-nothing",
        "The import leaves environment, current folder, sys.path and threads as they are.",
        _import_changes_nothing,
        "bronze",
        "Move the change from module level into the function that needs it.",
    ),
    Rule(
        "names-keep-to-form",
        "Keys of actions and connection types, and names of inputs, are in camelCase.",
        _names_keep_to_form,
        "bronze",
        "Correct the key or the alias.",
    ),
    Rule(
        "option-sources-answer",
        "An option source that needs no client lists its choices, each once.",
        _option_sources_answer,
        "silver",
        "Correct the function under @connector.options: it returns a list of Option, each with a "
        "different value.",
    ),
)

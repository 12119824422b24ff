"""Differences of two versions of a connector, classified, and the version step that Semantic
Versioning demands for them.

The rules beyond JSON Schema (effects, permissions, pagination, connection types) are in
docs/reference/cli-publish.md.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from packaging.version import InvalidVersion, Version

from jackfield.kernel.definitions import completed
from jackfield.kernel.errors import InvalidInvocation, UnknownConnector
from jackfield.kernel.pointers import child, pointer
from jackfield.kernel.walk import target
from jackfield.manifest.manifest import Manifest
from jackfield.manifest.reading import ManifestError
from jackfield.schema.cache import check_schemas
from jackfield_market.schema_changes import Change, Level, schema_changes
from jackfield_market.wheels import read_bounded, read_wheel

Step = Literal["major", "minor", "patch", "none"]
_STEPS: Sequence[Step] = ("none", "patch", "minor", "major")
_ABSENT: Any = object()
_TEXTS = frozenset(
    {
        "title",
        "description",
        "icon",
        "categories",
        "documentationUrl",
        "license",
        "setup",
        "examples",
        "reason",
        "group",
        "deprecated",
    }
    | {"keywords"}
)
_EFFECTS = ("read", "idempotent", "write")
"""Effects of actions, from the safest to the least safe."""
_PAGE_MEMBERS = ("tokenInput", "tokenOutput", "items", "allInput")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences between two versions of a connector and the version step that they demand."""

    old: Manifest
    new: Manifest
    changes: tuple[Change, ...]

    @property
    def level(self) -> Level | None:
        """Return the most severe level of the changes; None without changes."""
        found = {change.level for change in self.changes}
        return next(
            (level for level in ("breaking", "additive", "textual") if level in found), None
        )

    @property
    def required(self) -> Step:
        """Return the smallest version step that the changes demand; before 1.0.0, a smaller step is
        enough.
        """
        early = _version(self.old).major == 0
        steps: Mapping[Level | None, Step] = {
            "breaking": "minor" if early else "major",
            "additive": "patch" if early else "minor",
            "textual": "patch",
            None: "none",
        }
        return steps[self.level]

    @property
    def step(self) -> Step:
        """Return the step between the two stated versions; ``none`` if the new version is not
        higher.
        """
        old, new = _version(self.old), _version(self.new)
        if new <= old:
            return "none"
        if old.is_prerelease or new.major != old.major:
            return "major"
        return "minor" if new.minor != old.minor else "patch"

    @property
    def sufficient(self) -> bool:
        """Return whether the step to the new version is at least the required one, and the new
        version is not lower.
        """
        return _version(self.new) >= _version(self.old) and _STEPS.index(self.step) >= _STEPS.index(
            self.required
        )

    @property
    def next(self) -> str:
        """Return the lowest version that is enough for the changes."""
        old = _version(self.old)
        numbers = {
            "major": (old.major + 1, 0, 0),
            "minor": (old.major, old.minor + 1, 0),
            "patch": (old.major, old.minor, old.micro + 1),
        }
        if self.required == "none" or old.is_prerelease:
            return self.old.version if self.required == "none" else old.base_version
        return ".".join(map(str, numbers[self.required]))

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``jackfield diff``."""
        sides = {
            name: {"connector": side.key, "version": side.version}
            for name, side in (("old", self.old), ("new", self.new))
        }
        verdict = {
            "required": self.required,
            "step": self.step,
            "sufficient": self.sufficient,
            "next": self.next,
        }
        return {**sides, **verdict, "changes": [change.to_json() for change in self.changes]}


def compare(old: Manifest, new: Manifest) -> Comparison:
    """Compare two versions of a connector, most severe changes first."""
    whole = completed(old.whole()), completed(new.whole())
    found = sorted(
        _manifest(*whole),
        key=lambda change: ("breaking", "additive", "textual").index(change.level),
    )
    return Comparison(old, new, tuple(found))


def read_described(path: str) -> Manifest:
    """Read the manifest of a wheel, a connector's folder, or a ``connector.json``.

    :raises InvalidInvocation: if the manifest is missing or not valid.
    """
    if path.endswith(".whl"):
        return read_wheel(path).manifest
    file = _in_folder(path) if os.path.isdir(path) else path
    try:
        found = Manifest.from_json(json.loads(read_bounded(file)))
        check_schemas(found)
    except (ManifestError, UnknownConnector, ValueError, RecursionError) as error:
        said = error.message if isinstance(error, UnknownConnector) else str(error)
        raise InvalidInvocation(f"'{file}' is not a valid manifest: {said}") from None
    _version(found)
    return found


def _in_folder(folder: str) -> str:
    names = [name for name in sorted(os.listdir(folder)) if name.startswith("jackfield_")]
    paths = [
        os.path.join(folder, *parts, "connector.json")
        for parts in ((), *((name,) for name in names))
    ]
    found = [path for path in paths if os.path.isfile(path)]
    if len(found) != 1:
        raise InvalidInvocation(
            f"'{folder}' must contain one connector.json, in it or in a package jackfield_…; "
            f"found are {len(found)}",
            hint="Name a wheel, a connector's folder or a connector.json.",
        )
    return found[0]


def _version(manifest: Manifest) -> Version:
    try:
        return Version(manifest.version)
    except InvalidVersion:
        raise InvalidInvocation(
            f"'{manifest.version[:80]}' is not a version of '{manifest.key}' (PEP 440)"
        ) from None


def _manifest(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    if old.get("key") != new.get("key"):
        yield Change(
            "breaking",
            "/key",
            f"the connector is another one: '{new.get('key')}' instead of '{old.get('key')}'",
        )
    known = {
        "key",
        "version",
        "manifestVersion",
        "connectionTypes",
        "actions",
        "optionSources",
        "triggers",
        "aliases",
        "hosts",
        "servers",
    }
    yield from _rest(old, new, "", known)
    yield from _hosts(_list(old.get("hosts")), _list(new.get("hosts")))
    if old.get("servers") != new.get("servers"):
        yield Change("additive", "/servers", "the servers behind the actions change")
    for name, noun in (
        ("connectionTypes", "connection type"),
        ("actions", "action"),
        ("optionSources", "option source"),
        ("triggers", "trigger"),
    ):
        before, after = _keyed(old, name), _keyed(new, name)
        for key in {**before, **after}:
            if key not in after:
                yield Change(
                    "breaking",
                    pointer(name, before[key][0]),
                    f"the {noun} '{key}' is removed",
                    "old",
                )
            elif key not in before:
                yield Change(
                    "additive", pointer(name, after[key][0]), f"the {noun} '{key}' is added"
                )
            else:
                paths = (pointer(name, before[key][0]), pointer(name, after[key][0]))
                yield from _PARTS[name](before[key][1], after[key][1], paths)
    yield from _aliases(old.get("aliases"), new.get("aliases"), "/aliases")


def _hosts(old: Sequence[Any], new: Sequence[Any]) -> Iterator[Change]:
    for index, host in enumerate(old):
        if host not in new:
            yield Change(
                "additive",
                pointer("hosts", index),
                f"the connector no longer connects to '{host}'",
                "old",
            )
    for index, host in enumerate(new):
        if host not in old:
            yield Change(
                "breaking",
                pointer("hosts", index),
                f"the connector connects to '{host}', which networks must allow",
            )


def _keyed(manifest: Mapping[str, Any], name: str) -> dict[str, tuple[int, Mapping[str, Any]]]:
    return {
        str(item.get("key")): (index, item)
        for index, item in enumerate(_list(manifest.get(name)))
        if isinstance(item, Mapping)
    }


def _action(
    old: Mapping[str, Any], new: Mapping[str, Any], paths: tuple[str, str]
) -> Iterator[Change]:
    known = {
        "key",
        "effect",
        "inputs",
        "output",
        "preview",
        "permissions",
        "pagination",
        "needsConnection",
        "rateLimit",
        "repeatOk",
        "http",
        "marker",
        "evidence",
        "noEvidence",
    }
    yield from _effect(old, new, paths)
    yield from schema_changes(
        _as_flat(old, new), new.get("inputs", {}), "inputs", _below(paths, "inputs")
    )
    yield from schema_changes(
        old.get("output", {}), new.get("output", {}), "output", _below(paths, "output")
    )
    if "preview" in old and "preview" in new:
        yield from schema_changes(
            old["preview"], new["preview"], "output", _below(paths, "preview")
        )
    else:
        yield from _presence(old, new, paths, "preview")
    yield from _permissions(
        old.get("permissions") or {}, new.get("permissions") or {}, _below(paths, "permissions")
    )
    yield from _pages(old.get("pagination"), new.get("pagination"), _below(paths, "pagination"))
    yield from _connection_need(old, new, paths, default=True)
    if old.get("rateLimit") != new.get("rateLimit"):
        yield Change(
            "additive", child(paths[1], "rateLimit"), "the pace of calls changes, not what they do"
        )
    for name in ("marker", "evidence", "noEvidence"):
        if old.get(name) != new.get(name):
            yield Change(
                "additive",
                child(paths[1], name),
                "how a call in doubt is found again changes, not what calls do",
            )
    if old.get("http") != new.get("http"):
        yield Change("additive", child(paths[1], "http"), "the request behind the action changes")
    yield from _names(
        old.get("repeatOk"),
        new.get("repeatOk"),
        _below(paths, "repeatOk"),
        "an answer that a repeat may get",
    )
    if (old.get("kind") == "job") != (new.get("kind") == "job"):
        if "kind" in new:
            yield Change(
                "breaking",
                child(paths[1], "kind"),
                "a call may end before the action does: callers must wait for its Result",
            )
        else:
            yield Change("additive", child(paths[0], "kind"), "a call ends with its Result", "old")
    yield from _rest(
        old,
        new,
        paths[1],
        known | {"idempotentBy", "keyKept", "handsOutCredentials", "kind", "sign"},
    )


def _as_flat(old: Mapping[str, Any], new: Mapping[str, Any]) -> Any:
    """Return the schema of the old inputs in the form of the new inputs.

    If the new inputs are the members of the old input ``body``, which stays accepted, these members
    replace it.
    """
    members, inputs = _body(new).get("members"), old.get("inputs", {})
    whole = _body(old).get("input")
    if (
        not isinstance(members, Mapping)
        or not isinstance(inputs, Mapping)
        or whole not in inputs.get("properties", {})
    ):
        return inputs
    body = inputs["properties"][whole]
    body = target(inputs, body["$ref"]) if isinstance(body, Mapping) and "$ref" in body else body
    if not isinstance(body, Mapping):
        return inputs
    keys = {name: key for key, name in members.items()}
    own = {keys.get(name, name): schema for name, schema in body.get("properties", {}).items()}
    needed = [keys.get(name, name) for name in body.get("required", ())]
    properties = {name: schema for name, schema in inputs["properties"].items() if name != whole}
    required = [name for name in inputs.get("required", ()) if name != whole]
    found: dict[str, Any] = {**inputs, "properties": {**properties, **own}, "required": required}
    if whole in inputs.get("required", ()):
        found["required"] = [*required, *needed]
    elif needed:
        found["dependentRequired"] = {
            key: [one for one in needed if one != key] for key in own if needed != [key]
        }
    return found


def _body(action: Mapping[str, Any]) -> Mapping[str, Any]:
    binding = action.get("http")
    body = binding.get("body") if isinstance(binding, Mapping) else None
    return body if isinstance(body, Mapping) else {}


def _effect(
    old: Mapping[str, Any], new: Mapping[str, Any], paths: tuple[str, str]
) -> Iterator[Change]:
    before, after = (str(side.get("effect", "write")) for side in (old, new))
    path = child(paths[1], "effect")
    if before != after:
        worse = after not in _EFFECTS or (
            before in _EFFECTS and _EFFECTS.index(after) > _EFFECTS.index(before)
        )
        reason = (
            "it is repeated less often, and rules that allow the old effect refuse it"
            if worse
            else "it may be repeated more often"
        )
        yield Change(
            "breaking" if worse else "additive",
            path,
            f"the effect changes from {before} to {after}: {reason}",
        )
    if bool(old.get("handsOutCredentials")) != bool(new.get("handsOutCredentials")):
        grows = bool(new.get("handsOutCredentials"))
        reason = (
            "rules treat it as a write, and records mask its output"
            if grows
            else "its own effect counts for rules"
        )
        change = f"the output {'hands' if grows else 'no longer hands'} out credentials: {reason}"
        at = paths[1] if grows else paths[0]
        yield Change(
            "breaking" if grows else "additive",
            child(at, "handsOutCredentials"),
            change,
            "new" if grows else "old",
        )
    if old.get("idempotentBy") != new.get("idempotentBy"):
        stricter = "idempotentBy" in new
        reason = (
            "a repeat is safe only with an idempotency key"
            if stricter
            else "a repeat no longer needs an idempotency key"
        )
        yield Change(
            "breaking" if stricter else "additive", child(paths[1], "idempotentBy"), reason
        )
    elif old.get("keyKept") != new.get("keyKept"):
        reason = "the time for which the provider remembers a key is another"
        yield Change("additive", child(paths[1], "keyKept"), reason)


def _permissions(
    old: Mapping[str, Any], new: Mapping[str, Any], paths: tuple[str, str]
) -> Iterator[Change]:
    for system in {**old, **new}:
        before, after = (_strings(side.get(system)) for side in (old, new))
        for name in sorted(after - before):
            reason = (
                f"the permission '{name}' ({system}) is needed: policies of least privilege "
                "lack it, and the provider refuses the call"
            )
            yield Change("breaking", child(paths[1], system), reason)
        for name in sorted(before - after):
            yield Change(
                "additive",
                child(paths[0], system),
                f"the permission '{name}' ({system}) is no longer needed",
                "old",
            )


def _pages(old: Any, new: Any, paths: tuple[str, str]) -> Iterator[Change]:
    if old == new:
        return
    if not old or not new:
        reason = (
            "the action has pages now: one call may return a part"
            if new
            else "the action has no pages any more"
        )
        yield Change("breaking", paths[1] if new else paths[0], reason, "new" if new else "old")
        return
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            level: Level = "breaking" if name in _PAGE_MEMBERS and name in old else "additive"
            yield Change(level, child(paths[1], name), f"the pagination's '{name}' changes")


def _connection_type(
    old: Mapping[str, Any], new: Mapping[str, Any], paths: tuple[str, str]
) -> Iterator[Change]:
    for name, reason in (
        ("family", "stored connections have the type's old full name"),
        ("auth", "users authenticate in another way"),
    ):
        if old.get(name) != new.get(name):
            yield Change("breaking", child(paths[1], name), f"'{name}' changes: {reason}")
    yield from schema_changes(
        old.get("schema", {}), new.get("schema", {}), "inputs", _below(paths, "schema")
    )
    yield from _names(
        old.get("waives"),
        new.get("waives"),
        _below(paths, "waives"),
        "an input that calls may leave out",
    )
    before, after = (side.get("serves") for side in (old, new))
    at = _below(paths, "serves")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _names(
            before.get("actions"),
            after.get("actions"),
            _below(at, "actions"),
            "an action that it serves",
        )
        yield from _rest(before, after, at[1], {"actions"})
    elif before != after:
        limited = after is not None
        reason = (
            "connections of this type serve fewer actions"
            if limited
            else "connections of this type serve every action"
        )
        yield Change(
            "breaking" if limited else "additive",
            at[1] if limited else at[0],
            reason,
            "new" if limited else "old",
        )
    yield from _rest(old, new, paths[1], {"key", "family", "auth", "schema", "waives", "serves"})


def _option_source(
    old: Mapping[str, Any], new: Mapping[str, Any], paths: tuple[str, str]
) -> Iterator[Change]:
    yield from _connection_need(old, new, paths, default=False)
    yield from _rest(old, new, paths[1], {"key", "needsConnection"})


def _trigger(
    old: Mapping[str, Any], new: Mapping[str, Any], paths: tuple[str, str]
) -> Iterator[Change]:
    yield from _connection_need(old, new, paths, default=True)
    for name in sorted(_strings(old.get("types")) - _strings(new.get("types"))):
        yield Change(
            "breaking",
            child(paths[0], "types"),
            f"events of the type '{name}' do not come any more",
            "old",
        )
    yield from schema_changes(
        old.get("inputs", {}), new.get("inputs", {}), "inputs", _below(paths, "inputs")
    )
    yield from schema_changes(
        old.get("event", {}), new.get("event", {}), "output", _below(paths, "event")
    )
    yield from _permissions(
        old.get("permissions") or {}, new.get("permissions") or {}, _below(paths, "permissions")
    )
    yield from _rest(
        old,
        new,
        paths[1],
        {"key", "needsConnection", "types", "inputs", "event", "examples", "permissions"},
    )


def _connection_need(
    old: Mapping[str, Any], new: Mapping[str, Any], paths: tuple[str, str], *, default: bool
) -> Iterator[Change]:
    before, after = (side.get("needsConnection", default) for side in (old, new))
    if before != after:
        reason = "it needs a connection now" if after else "it needs no connection any more"
        yield Change(
            "breaking" if after else "additive", child(paths[1], "needsConnection"), reason
        )


def _presence(
    old: Mapping[str, Any], new: Mapping[str, Any], paths: tuple[str, str], name: str
) -> Iterator[Change]:
    if name in old and name not in new:
        yield Change("breaking", child(paths[0], name), f"'{name}' is removed", "old")
    elif name in new and name not in old:
        yield Change("additive", child(paths[1], name), f"'{name}' is added")


def _names(old: Any, new: Any, paths: tuple[str, str], meaning: str) -> Iterator[Change]:
    before, after = _strings(old), _strings(new)
    for name in sorted(before - after):
        yield Change("breaking", paths[0], f"'{name}', {meaning}, is removed", "old")
    for name in sorted(after - before):
        yield Change("additive", paths[1], f"'{name}', {meaning}, is added")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _strings(value: Any) -> set[str]:
    return {item for item in _list(value) if isinstance(item, str)}


def _aliases(old: Any, new: Any, path: str) -> Iterator[Change]:
    """Compare the aliases for callers of other systems: the target of an old alias must stay."""
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in {**old, **new}:
            yield from _aliases(old.get(name), new.get(name), child(path, name))
    elif old is None:
        yield Change("additive", path, "the alias is added")
    elif isinstance(old, list) and isinstance(new, list) and all(item in new for item in old):
        yield Change("additive", path, "aliases are added")
    else:
        yield Change(
            "breaking",
            path,
            f"the alias {'is removed' if new is None else 'changes'}",
            "old" if new is None else "new",
        )


def _rest(
    old: Mapping[str, Any], new: Mapping[str, Any], path: str, known: set[str]
) -> Iterator[Change]:
    """Compare members without a rule of their own. A change of prose is textual, an added member is
    additive, any other change is breaking.
    """
    for name in {**old, **new}:
        if name in known or old.get(name, _ABSENT) == new.get(name, _ABSENT):
            continue
        if name == "examples" and _without_meta(old.get(name)) == _without_meta(new.get(name)):
            continue
        verb = "is added" if name not in old else "is removed" if name not in new else "changes"
        level: Level = (
            "textual" if name in _TEXTS else "additive" if name not in old else "breaking"
        )
        removed = name not in new
        yield Change(level, child(path, name), f"'{name}' {verb}", "old" if removed else "new")


def _without_meta(examples: object) -> object:
    """Return examples without the ``meta`` of their Results, which contains the version of the
    release.
    """
    rows = examples if isinstance(examples, list) else []
    return [_bare(row) if isinstance(row, Mapping) else row for row in rows]


def _bare(example: Mapping[str, Any]) -> Mapping[str, Any]:
    result = example.get("result")
    return (
        example
        if not isinstance(result, Mapping)
        else {**example, "result": {**result, "meta": None}}
    )


def _below(paths: tuple[str, str], name: str) -> tuple[str, str]:
    return child(paths[0], name), child(paths[1], name)


_NOUNS = {
    "connectionTypes": "connection type",
    "actions": "action",
    "optionSources": "option source",
    "triggers": "trigger",
}
_PARTS = {
    "connectionTypes": _connection_type,
    "actions": _action,
    "optionSources": _option_source,
    "triggers": _trigger,
}


def refuse_step(comparison: Comparison, changelog: str | None) -> None:
    """Check the version step before packing; a breaking change also needs a section of CHANGELOG.md
    about the new version.

    :raises InvalidInvocation: if the step is too small, or the section is missing; the error names
        the required version.
    """
    old, new = comparison.old, comparison.new
    first = comparison.changes[0] if comparison.changes else None
    if not comparison.sufficient:
        because = f" (for instance {first.path}: {first.reason})" if first else ""
        raise InvalidInvocation(
            f"version {new.version} after {old.version} is not enough for the changes: "
            f"{comparison.required} is required{because}",
            hint=(
                f"Set the version to {comparison.next} or higher. 'jackfield diff OLD NEW' "
                "lists the changes."
            ),
        )
    heading = re.compile(rf"^#+ .*(?<![\w.]){re.escape(new.version)}(?![\w.]*\d)", re.MULTILINE)
    if comparison.level == "breaking" and not heading.search(changelog or ""):
        raise InvalidInvocation(
            f"version {new.version} breaks callers ({first.reason if first else ''}) and "
            "CHANGELOG.md has no section about it",
            hint=f"Write a section '## {new.version}' that tells callers what to change.",
        )

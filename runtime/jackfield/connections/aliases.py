"""Aliases, which translate foreign names: data in the manifests of installed connectors, under
``aliases``.

``{"dapr": {"bindings.aws.ses": ALIAS}, "thand": {…}, "vcap": {…}, "prismatic": {…}}``: the format,
then its own name for a connection. An ALIAS has these members, all optional except ``connections``;
``…`` stands for members that only one format uses:

============ =======================================================================================
connections  ``[{"when": [CONDITION…], "type": "aws/apiKeySecret", "values": {FIELD: VALUE}}]``: the
             first whose conditions all hold wins. CONDITION is a field that must be present, or
             ``field=text``. VALUE is the name of a connection value, null (the field is understood
             and not needed), ``{"name", "pattern"}`` (the first group of the regular expression, if
             it matches), ``{"name", "file": true}`` (the field is the path of a file with the
             value), or a list. ``"needs": ["a|b"]``: fields of which one each must be present, or
             the entry is refused with ``"why"``
operations   ``{"create": "sendEmail"}``: foreign operations and their actions
inputs       ``{FIELD: "to"}``: fields that are inputs of those actions
lists        inputs that are lists in one text, with ``separator`` between the items
defaults     ``{FIELD: ["$AWS_REGION", "us-east-1"]}``: values of a missing field, first found wins;
             ``$AWS_REGION`` and ``$AWS_DEFAULT_REGION`` are environment variables, and there are no
             others: the rest of the environment is not the author's
required     fields without which an entry is refused
expected     fields without which calls fail, though the entry is read; a Dapr sidecar warns of them
             when it starts
refused      ``{FIELD: "why"}``: fields that are not supported
files        inputs that are files (only ``prismatic``)
messages     messages that callers of the other system expect: ``missing`` (``{fields}``),
             ``absent`` (``{field}``), ``failed`` and ``data`` (``{reason}``)
============ =======================================================================================
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass

if TYPE_CHECKING:
    from jackfield.catalog.installed import Catalog
    from jackfield.manifest.manifest import Manifest

_LOG = logging.getLogger("jackfield.connections")
_VARIABLES = ("$AWS_REGION", "$AWS_DEFAULT_REGION")


class AliasError(ValueError):
    """Error for an alias of a manifest without the documented form."""


@dataclass(frozen=True, slots=True)
class Part:
    """Connection value that a field provides: the whole field, the match of a pattern in it, or the
    content of the file that it names.
    """

    name: str
    pattern: re.Pattern[str] | None = None
    is_file: bool = False

    def of(self, value: Any) -> Any:
        """Return this connection value's part of a field's value; None if the field does not
        contain it.
        """
        if self.pattern is None:
            return {"$file": value} if self.is_file else value
        found = self.pattern.search(value) if isinstance(value, str) else None
        return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Choice:
    """Connection type that an alias may choose, and the fields that fill its values."""

    type: str
    when: tuple[str, ...]
    values: Mapping[str, tuple[Part, ...]]
    needs: tuple[str, ...] = ()
    why: str = ""

    def fits(self, fields: Mapping[str, Any]) -> bool:
        """Return whether all conditions hold."""
        return all(_holds(condition, fields) for condition in self.when)

    def lacks(self, fields: Mapping[str, Any]) -> str | None:
        """Return the first of ``needs`` none of whose fields is present; None if each has a present
        field.
        """
        return next(
            (
                need
                for need in self.needs
                if not any(_holds(name, fields) for name in need.split("|"))
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class Alias:
    """Translation of one foreign name. ``raw`` is the whole alias, for members that only one format
    uses.
    """

    connector: str
    key: str
    choices: tuple[Choice, ...]
    operations: Mapping[str, str]
    inputs: Mapping[str, str]
    lists: frozenset[str]
    separator: str
    defaults: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    expected: tuple[str, ...]
    refused: Mapping[str, str]
    messages: Mapping[str, str]
    raw: Mapping[str, Any]

    @classmethod
    def from_json(cls, connector: str, key: str, data: object) -> Alias:
        """Read an alias.

        :raises AliasError: if the alias does not have the documented form.
        """
        if not isinstance(data, Mapping):
            raise AliasError("must be an object")
        return cls(
            connector=connector,
            key=key,
            choices=tuple(_choice(item) for item in _typed(data, "connections", list)),
            operations=_texts(data, "operations"),
            inputs=_texts(data, "inputs"),
            lists=frozenset(_strings(data, "lists")),
            separator=_typed(data, "separator", str) or ",",
            defaults={
                name: _default(_typed(data, "defaults", dict), name)
                for name in _typed(data, "defaults", dict)
            },
            required=_strings(data, "required"),
            expected=_strings(data, "expected"),
            refused=_texts(data, "refused"),
            messages=_texts(data, "messages"),
            raw=data,
        )

    @property
    def fields(self) -> frozenset[str]:
        """All fields that the alias uses."""
        conditions = {
            condition.partition("=")[0] for choice in self.choices for condition in choice.when
        }
        values = {name for choice in self.choices for name in choice.values}
        return frozenset(
            {*conditions, *values, *self.inputs, *self.refused, *self.defaults, *self.required}
        )

    def message(self, key: str, otherwise: str, **words: str) -> str:
        """Return the other system's message with ``words`` filled in, or ``otherwise`` if the alias
        has no message.
        """
        text = self.messages.get(key, otherwise)
        for name, word in words.items():
            text = text.replace(f"{{{name}}}", word)
        return text


class Aliases:
    """Aliases of all installed connectors, by format and foreign name."""

    def __init__(self, found: Mapping[str, Mapping[str, Alias]]) -> None:
        self._found = found

    @classmethod
    def installed(cls, catalog: Catalog) -> Aliases:
        """Read the aliases of a catalog. If two connectors declare a name, the first by key wins,
        isolated connectors last, since they would get the credentials of another connector's
        documents. Broken aliases are skipped. Both cases are logged.
        """
        found: dict[str, dict[str, Alias]] = {}
        for manifest in sorted(
            catalog.chosen(catalog.manifests()), key=lambda manifest: manifest.isolated
        ):
            for form, key, data in _entries(manifest.raw.get("aliases")):
                try:
                    alias = Alias.from_json(manifest.key, key, data)
                except AliasError as error:
                    _LOG.warning(
                        "the connector '%s': its alias '%s' of %s is broken: %s",
                        manifest.key,
                        key,
                        form,
                        error,
                    )
                    continue
                taken = found.setdefault(form, {}).setdefault(key, alias)
                if taken is not alias:
                    _LOG.warning(
                        "the connector '%s': '%s' of %s is already an alias of '%s'",
                        manifest.key,
                        key,
                        form,
                        taken.connector,
                    )
        return cls(found)

    def find(self, form: str, key: str) -> Alias | None:
        """Return the alias of ``key`` in the format ``form``; None if no such alias exists."""
        return self._found.get(form, {}).get(key)

    def all(self, form: str) -> Mapping[str, Alias]:
        """Return all aliases of one format."""
        return self._found.get(form, {})


def alias_for(manifest: Manifest, form: str, action: object) -> Alias | None:
    """Return the alias of a connector's own manifest in the format ``form`` that names the action;
    None if no such alias exists.
    """
    for declared, key, data in _entries(manifest.raw.get("aliases")):
        if declared == form and isinstance(data, Mapping):
            try:
                alias = Alias.from_json(manifest.key, key, data)
            except AliasError:  # logged where the aliases of all connectors are read
                continue
            if action in alias.operations.values():
                return alias
    return None


def is_blank(value: object) -> bool:
    """Return whether a field counts as missing."""
    return value is None or (isinstance(value, str | list | tuple | Mapping) and not value)


def _holds(condition: str, fields: Mapping[str, Any]) -> bool:
    name, equals, text = condition.partition("=")
    value = fields.get(name)
    return str(value) == text if equals else not is_blank(value)


def _entries(declared: object) -> Iterator[tuple[str, str, object]]:
    for form, entries in declared.items() if isinstance(declared, Mapping) else ():
        for key, data in entries.items() if isinstance(entries, Mapping) else ():
            yield form, key, data


def _choice(data: object) -> Choice:
    if not isinstance(data, Mapping) or not isinstance(data.get("type"), str):
        raise AliasError("each of 'connections' must be an object with a 'type'")
    values = {name: tuple(_parts(value)) for name, value in _typed(data, "values", dict).items()}
    return Choice(
        data["type"],
        _strings(data, "when"),
        values,
        _strings(data, "needs"),
        _typed(data, "why", str),
    )


def _parts(value: object) -> Iterator[Part]:
    if isinstance(value, str):
        yield Part(value)
    elif (
        isinstance(value, Mapping)
        and isinstance(value.get("name"), str)
        and value.get("file") is True
    ):
        yield Part(value["name"], is_file=True)
    elif (
        isinstance(value, Mapping)
        and isinstance(value.get("name"), str)
        and isinstance(value.get("pattern"), str)
    ):
        try:
            pattern = re.compile(value["pattern"])
        except re.error as error:
            raise AliasError(f"a pattern is not a regular expression: {error}") from None
        if not pattern.groups:
            raise AliasError("a pattern has no group")
        yield Part(value["name"], pattern)
    elif isinstance(value, list):
        for item in value:
            yield from _parts(item)
    elif value is not None:
        raise AliasError("a value must be a name, {name, pattern}, null, or a list of these")


def _default(data: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = _strings(data, name)
    other = next((text for text in found if text.startswith("$") and text not in _VARIABLES), None)
    if other is not None:
        raise AliasError(
            f"the default of '{name}' reads the variable '{other[:80]}': only "
            f"{' and '.join(_VARIABLES)} can be read"
        )
    return found


def _typed(data: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = data.get(name)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise AliasError(f"'{name}' must be of the type {kind.__name__}")
    return value


def _strings(data: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = _typed(data, name, list)
    if not all(isinstance(item, str) for item in found):
        raise AliasError(f"'{name}' must be a list of strings")
    return tuple(found)


def _texts(data: Mapping[str, Any], name: str) -> Mapping[str, str]:
    found: Mapping[str, Any] = _typed(data, name, dict)
    if not all(isinstance(item, str) for item in found.values()):
        raise AliasError(f"'{name}' must be an object of strings")
    return found

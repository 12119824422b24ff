"""Thand: the ``providers`` of its configuration files. Aliases map providers to connections."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from jackfield.connections.aliases import Alias, is_blank
from jackfield.connections.formats import Disabled, Document, Problem, Surroundings
from jackfield.connections.named_connection import NamedConnection
from jackfield_formats.expression import ExpressionError, readable, substitute
from jackfield_formats.translating import ForeignError, connection_of, translate

FORMAT = "thand"
_LOG = logging.getLogger("jackfield.connections")
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,49}\Z")
_MAX_NAME = 100
_MAX_DESCRIPTION = 500


def read(
    documents: Iterable[Document], around: Surroundings
) -> Iterator[NamedConnection | Problem | Disabled]:
    """Yield the connections of all enabled providers, and report the other providers. Of providers
    with the same key, only the first in the order of the files counts.
    """
    seen: dict[str, str] = {}
    for document in documents:
        providers = document.content.get("providers")
        if providers is None:
            continue
        if not isinstance(providers, Mapping):
            yield Problem(f"{document.place}: providers: must be an object of providers by key")
            continue
        for key, entry in ((str(key), entry) for key, entry in providers.items()):
            if key in seen:
                _LOG.warning(
                    "%s: providers.%s is given already, in %s: this one is not used",
                    document.place,
                    key,
                    seen[key],
                )
                continue
            seen[key] = document.place
            try:
                yield _parse_provider(key, entry, document, around)
            except (ForeignError, ExpressionError) as error:
                yield Problem(f"{document.place}: providers.{key}: {error}")


def _parse_provider(
    key: str, entry: object, document: Document, around: Surroundings
) -> NamedConnection | Disabled:
    if not isinstance(entry, Mapping):
        raise ForeignError("must be an object with 'name', 'provider', 'enabled' and 'config'")
    filled: Mapping[str, Any] = substitute(
        entry, readable(around.environment), {}, embedded=not around.strict
    )
    name, kind = _validated(filled)
    config = filled.get("config") or {}
    if not isinstance(config, Mapping):
        raise ForeignError("config: must be an object")
    off = _switched_off(filled)
    if off is not None:
        return Disabled((key, name), f"{document.place}: providers.{key} exists, but {off}")
    alias = _alias(kind, config, around)
    made = translate(alias, dict(config), around.environment, strict=around.strict)
    if made.unused:
        _LOG.warning(
            "%s: providers.%s: not used: %s",
            document.place,
            key,
            ", ".join(f"config.{item}" for item in made.unused),
        )
    return connection_of(alias, made, document, FORMAT, (key, name, kind), f"providers.{key}")


def _validated(entry: Mapping[str, Any]) -> tuple[str, str]:
    name, kind, description = entry.get("name"), entry.get("provider"), entry.get("description")
    if not isinstance(name, str) or not 1 <= len(name) <= _MAX_NAME:
        raise ForeignError(f"name: must be a string of 1 to {_MAX_NAME} characters")
    if not isinstance(kind, str) or not _TYPE.match(kind):
        raise ForeignError(
            "provider: must be a type such as email.ses (2 to 50 letters, digits, dots, "
            "underscores or hyphens)"
        )
    if description is not None and (
        not isinstance(description, str) or len(description) > _MAX_DESCRIPTION
    ):
        raise ForeignError(
            f"description: must be a string of at most {_MAX_DESCRIPTION} characters"
        )
    return name, kind.lower()


def _switched_off(entry: Mapping[str, Any]) -> str | None:
    """Return the reason why the provider is not used: not enabled (the default), or not allowed to
    notify; None if it is used.
    """
    capabilities = entry.get("capabilities")
    notifier = capabilities.get("notifier") if isinstance(capabilities, Mapping) else None
    notifies = notifier.get("enabled", True) if isinstance(notifier, Mapping) else True
    if not _is_yes(entry.get("enabled"), "enabled"):
        return "not enabled: set 'enabled: true'"
    return (
        None
        if _is_yes(notifies, "capabilities.notifier.enabled")
        else "its capabilities.notifier.enabled is false: set it to true"
    )


def _is_yes(value: object, at: str) -> bool:
    if isinstance(value, bool) or value is None:
        return value is True
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ForeignError(f"{at}: must be true or false")


def _alias(kind: str, config: Mapping[str, Any], around: Surroundings) -> Alias:
    """Return the alias of the provider's type. A type with variants (``email``) names the field
    that selects one, and a default.
    """
    known = around.aliases.all(FORMAT)
    found = known.get(kind)
    if found is None:
        raise ForeignError(
            f"provider: no installed connector supports the type '{kind}'; known: "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    chooser, variants = found.raw.get("by"), found.raw.get("variants")
    if not isinstance(chooser, str) or not isinstance(variants, Mapping):
        return found
    given = config.get(chooser)
    usual = str(found.raw.get("usual", ""))
    variant = known.get(str(variants.get(usual if is_blank(given) else str(given).lower())))
    if variant is None:
        raise ForeignError(f"config.{chooser}: must be one of {', '.join(variants)}")
    if is_blank(given):
        return _with_remark(variant, f"'{chooser}' defaults to {usual}")
    return variant


def _with_remark(variant: Alias, remark: str) -> Alias:
    """Return the variant with a remark on its selection appended to its message about missing
    fields.
    """
    said = variant.messages.get("missing", "these fields are missing: {fields}")
    return replace(variant, messages={**variant.messages, "missing": f"{said} ({remark})"})

"""Texts of connectors in the languages of people who connect their accounts:
``locales/<language>.json`` in the packages of distributions that extend jackfield.

Such a file maps texts of ``connector.json``, or of a connection's test, to texts for the reader.
``{name}`` stands for a variable part; ``github/oauth#title``, ``#description`` and ``#setup`` are
members of one connection type, and
``#scope repo`` explains a scope of that type. ``en.json`` replaces texts for engineers by texts for
customers. An empty text removes a text.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from jackfield.catalog.loading import package_folders
from jackfield.kernel.gaps import with_gaps

LOCALES = ("en", "de")
"""Languages of the connect page; the first is used for readers of any other language."""
_LARGEST = 1_000_000
_LONGEST = 2000
"""Number of characters above which a text is not compared with patterns."""
_PART = re.compile(r"\{([a-zA-Z]+)\}")
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_GERMAN = str.maketrans(",.", ".,")
_FOR_OPERATORS = re.compile(r"\b(?:[A-Z][A-Z0-9]*_)+[A-Z0-9]+\b|\bjackfield [a-z]|--[a-z]")
"""Regular expression of environment variables, commands and their options."""
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-Z'])")


class Texts:
    """Texts in one language. If several ``files`` have a text, the first file wins."""

    def __init__(self, files: Iterable[Mapping[str, str]], locale: str = LOCALES[0]) -> None:
        self._locale = locale
        self._exact: dict[str, str] = {}
        for file in files:
            self._exact = {**file, **self._exact}
        made = [(_pattern(key), key) for key in self._exact if "{" in key and "#" not in key]
        self._patterns = sorted(made, key=lambda pair: -len(pair[1]))

    def find(self, text: str) -> str | None:
        """Return the text for the reader; None if the reader's language has no such text. Variable
        parts are translated, too.
        """
        found = self._exact.get(text)
        if found is not None or len(text) > _LONGEST:
            return found
        for pattern, key in self._patterns:
            if (match := pattern.fullmatch(text)) is not None:
                parts = {name: self._part(part) for name, part in match.groupdict().items()}
                return self._exact[key].format_map(parts)
        return None

    def _part(self, part: str) -> str:
        """Return a variable part for the reader: translated like a text, or a number with the
        language's digit grouping.
        """
        if self._locale == "de" and _GROUPED.fullmatch(part):
            return part.translate(_GERMAN)
        found = self.find(part)
        return part if found is None else found

    def of(self, text: str) -> str:
        """Return the text for the reader, or the text itself."""
        found = self.find(text)
        return text if found is None else found

    def hint(self, text: str) -> str:
        """Return a hint for the reader, without the sentences that only an operator can follow:
        sentences with variables and commands.
        """
        found = self.find(text)
        return (
            found
            if found is not None
            else " ".join(
                part for part in _SENTENCES.split(text) if not _FOR_OPERATORS.search(part)
            )
        )

    def about(self, name: str, member: str, text: str) -> str:
        """Return the ``title``, the ``description`` or the ``setup`` of a connection type for its
        users.
        """
        found = self._exact.get(f"{name}#{member}")
        return self.of(text) if found is None else found

    def schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return a connection type's schema with the titles and descriptions of its fields for the
        reader.
        """
        fields = schema.get("properties", {}).items()
        return {**schema, "properties": {name: self._field(field) for name, field in fields}}

    def _field(self, field: Any) -> Any:
        if not isinstance(field, Mapping):
            return field
        texts = {
            name: self.of(field[name])
            for name in ("title", "description")
            if isinstance(field.get(name), str)
        }
        return {**field, **texts}


def texts_of(locale: str) -> Texts:
    """Return the texts of all installed distributions in a language."""
    return _texts(locale, tuple(sys.path))


@lru_cache(maxsize=8)
def _texts(locale: str, _paths: tuple[str, ...]) -> Texts:
    return Texts(
        filter(
            None,
            (
                _load_texts(os.path.join(folder, "locales", f"{locale}.json"))
                for folder in package_folders()
            ),
        ),
        locale,
    )


def _load_texts(path: str) -> Mapping[str, str]:
    """Return the texts of a file; an empty mapping if it is missing or damaged: the page is then in
    English.
    """
    try:
        with open(path, encoding="utf-8") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return (
        {key: text for key, text in found.items() if isinstance(text, str)}
        if isinstance(found, dict)
        else {}
    )


def _pattern(key: str) -> re.Pattern[str]:
    parts = _PART.split(key)
    texts, names = parts[::2], parts[1::2]
    return re.compile(with_gaps(texts, [f"(?P<{name}>.+?)" for name in names]), re.DOTALL)

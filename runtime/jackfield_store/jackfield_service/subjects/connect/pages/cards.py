"""Cards of a connect session's offered types: one for each connector, with its icon and its sign-in
methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jackfield.connections.connection_types import ConnectionKind
from jackfield.kernel.markup import Markup
from jackfield_service.shell.pages.layout.components import h, line, picture
from jackfield_service.subjects.connect.pages.words import Words

LIGHT, HEAVY = 1_500, 8_000
"""Maximum lengths of an icon in characters: on a page with up to forty icons, and of a single
icon.
"""
Offered = Sequence[tuple[str, ConnectionKind]]


def grouped(words: Words, offered: Offered, wanted: str) -> list[list[tuple[str, ConnectionKind]]]:
    """Return the types by connector that match all words of a search, in their given order. Within
    a connector, sign-in types come before key types.
    """
    parts, found = wanted.casefold().split(), dict[str, list[tuple[str, ConnectionKind]]]()
    for name, kind in offered:
        searched = (
            f"{kind.full_name} {words.connector(name, kind)} {words.title(name, kind)} "
            f"{words.description(name, kind)}"
        ).casefold()
        if all(part in searched for part in parts):
            found.setdefault(_connector(name, kind), []).append((name, kind))
    return [
        sorted(types, key=lambda pair: (_is_connectors(*pair), not pair[1].about.authorizes))
        for types in found.values()
    ]


def _connector(name: str, kind: ConnectionKind) -> str:
    """Return the key of the connector that a type is for. For a family's type with only one chosen
    connector, it is that connector.
    """
    return kind.chosen[0].key if len(kind.chosen) == 1 else name.partition("/")[0]


def _is_connectors(name: str, kind: ConnectionKind) -> bool:
    """Return whether a type's name begins with a connector, not its family: the family's types come
    first, and give the card its title.
    """
    return any(manifest.key == name.partition("/")[0] for manifest in kind.manifests)


def card(words: Words, types: Offered, icons: Mapping[str, str]) -> Markup:
    """Render a connector: as one button if it has one sign-in method, else with a button for
    each.
    """
    name, kind = types[0]
    title = words.connector(name, kind)
    labelled = words.labelled(name, kind) if len(types) == 1 else ""
    shown = icon(name, kind, labelled or title, icons, LIGHT)
    if len(types) == 1:
        button = h.button(labelled or title, name="type", value=name, class_="whole")
        return h.li(h.h2(shown, button), h.p(line(words.description(name, kind))), class_="card")
    ways = [_way(words, title, name, kind) for name, kind in types]
    return h.li(h.h2(shown, title), h.ul(ways, class_="ways"), class_="card")


def icon(
    name: str, kind: ConnectionKind, title: str, icons: Mapping[str, str], longest: int
) -> Markup:
    """Render a connector's picture: the platform's, the connector's own unless it is for any
    server, or the first letter of its title. Connectors of a family, such as ``aws.s3``, share a
    letter.
    """
    key = name.partition("/")[0]
    if key in icons:
        return h.img(src=icons[key], alt="", class_="icon", width=32, height=32)
    own = next(
        (
            one
            for one in kind.manifests
            if one.key == key and "server" not in kind.schema.get("required", ())
        ),
        None,
    )
    if own is not None and (found := picture(own.raw.get("icon"), longest)) is not None:
        return found
    family, _, service = key.partition(".")
    letter = next(
        (character for character in (family if service else title) if character.isalnum()), "?"
    ).upper()
    return h.span(letter, class_="icon letters", aria_hidden="true")


def _way(words: Words, connector: str, name: str, kind: ConnectionKind) -> Markup:
    title = words.way(name, kind)
    button = h.button(title, name="type", value=name, aria_label=f"{connector}: {title}")
    return h.li(button, h.p(line(words.description(name, kind)), class_="muted small"))

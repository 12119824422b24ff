"""Changes of the operator's file of offers: one writer at a time, and readers see the old or the
new file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from jackfield.catalog.offering import ALL, Offer, Offering, Offers, effective, read_offers
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import InvalidInvocation, UnknownAction, UnknownConnector, did_you_mean
from jackfield.kernel.local import replace_file, turn
from jackfield.kernel.packages import AUDIENCES, DECLARED

Named = Mapping[str, tuple[Offer, ...]]
"""Offers of a workspace by source."""


@dataclass(frozen=True, slots=True)
class OfferPattern:
    """Pattern of an offer: a source, and its connectors (``s3``, ``*``) or actions of a connector
    (``sqs.send*``).
    """

    source: str
    text: str

    @classmethod
    def parse(cls, offering: Offering, text: str) -> OfferPattern:
        """Parse ``s3``, ``sqs.send*``, ``aws.s3`` or ``aws.*``; the source may be left out if only
        one is installed.

        :raises InvalidInvocation: if no source is installed, or several are and the pattern names
            none.
        :raises UnknownConnector: if no connector of the source matches.
        :raises UnknownAction: if no action of the connector matches.
        """
        sources = [*offering.names]
        if not sources:
            raise InvalidInvocation(
                "no installed package is a source of connectors", hint=sources_hint()
            )
        first, _, rest = text.partition(".")
        if first in sources:
            found = cls(first, rest or ALL)
        elif len(sources) == 1:
            found = cls(sources[0], text)
        else:
            raise InvalidInvocation(
                f"'{text[:80]}' names no source",
                hint=f"Begin it with one of {', '.join(sources)}, such as aws.s3.",
            )
        found.check(offering)
        return found

    def check(self, offering: Offering) -> None:
        """Check that the pattern matches a connector, and an action if it names one.

        :raises UnknownConnector: if it matches no connector.
        :raises UnknownAction: if it matches no action.
        """
        source, (service, dot, action) = offering.source(self.source), self.text.partition(".")
        keys = [key for key in source.keys() if fnmatchcase(key[len(self.source) + 1 :], service)]  # noqa: SIM118 (no mapping)
        if not keys:
            source.manifest(f"{self.source}.{service}")  # says which ones are near
            raise UnknownConnector(f"no connector of '{self.source}' fits '{service[:80]}'")
        if dot and not any(
            fnmatchcase(row.key, action) for key in keys for row in source.manifest(key).rows()
        ):
            names = [row.key for row in source.manifest(keys[0]).rows()]
            raise UnknownAction(
                f"'{keys[0]}' has no action that fits '{action[:80]}'{did_you_mean(action, names)}"
            )

    def hands_out(self, offering: Offering) -> bool:
        """Return whether the pattern is the full name of an action that hands out credentials."""
        service, _, action = self.text.partition(".")
        return action in offering.source(self.source).hands_out(f"{self.source}.{service}")


def sources_hint() -> str:
    """Return the hint for a machine without catalog sources."""
    declared = (
        (name.partition("."), package)
        for name, (package, _) in DECLARED["jackfield.bindings"].items()
    )
    return " ".join(
        f"For {kind.upper()}, install {package}."
        for (kind, _, role), package in declared
        if role == "source"
    )


def rows(workspace: str, offers: Named) -> Iterator[dict[str, Any]]:
    """Yield a row for each pattern that a workspace is offered."""
    for name, found in sorted(offers.items()):
        for offer in found:
            for text in offer.services:
                flags = {
                    "effects": list(offer.effects),
                    **{one: one in offer.audiences for one in AUDIENCES},
                    "operator": offer.operator,
                }
                yield {"workspace": workspace, "pattern": f"{name}.{text}", **flags}


def add(
    path: str, sources: Iterable[str], workspace: str, pattern: OfferPattern, offer: Offer
) -> Named:
    """Add an offer of a pattern to a workspace; return all its offers.

    :raises Unavailable: if the file cannot be used.
    :raises InvalidInvocation: if the file cannot be written.
    """

    def change(offers: Named) -> Named:
        same = replace(offer, services=(pattern.text,))
        kept = tuple(
            _without(offers.get(pattern.source, ()), pattern.text, operator=offer.operator)
        )
        fitting = next(
            (one for one in kept if replace(one, services=()) == replace(same, services=())), None
        )
        if fitting is None:
            return {**offers, pattern.source: (*kept, same)}
        grown = replace(fitting, services=(*fitting.services, pattern.text))
        return {**offers, pattern.source: tuple(grown if one is fitting else one for one in kept)}

    return _changed(path, [*sources], workspace, change)


def remove(
    path: str, sources: Iterable[str], workspace: str, pattern: OfferPattern, *, operator: bool
) -> Named:
    """Withdraw a pattern from a workspace, or from the ``operator``'s own surfaces. Return the
    remaining offers.

    :raises Unavailable: if the file cannot be used.
    :raises InvalidInvocation: if the pattern is not offered, or the file cannot be written.
    """

    def change(offers: Named) -> Named:
        found = offers.get(pattern.source, ())
        texts = [text for offer in found if offer.operator is operator for text in offer.services]
        if pattern.text not in texts:
            name = f"{pattern.source}.{pattern.text}"
            others = any(pattern.text in offer.services for offer in found)
            tail = did_you_mean(name, [f"{pattern.source}.{text}" for text in texts])
            whom = "only to others than" if operator else "only to"
            elsewhere = f"It is offered {whom} the operator's own surfaces (--operator)."
            hint = elsewhere if others else "'jackfield offers list' shows what is offered."
            raise InvalidInvocation(
                f"'{name}' is not offered to '{workspace[:80]}'{tail}", hint=hint
            )
        return {**offers, pattern.source: tuple(_without(found, pattern.text, operator=operator))}

    return _changed(path, [*sources], workspace, change)


def _without(offers: Iterable[Offer], text: str, *, operator: bool) -> Iterator[Offer]:
    for offer in offers:
        left = tuple(one for one in offer.services if one != text or offer.operator is not operator)
        if left:
            yield replace(offer, services=left)


def _changed(
    path: str, sources: list[str], workspace: str, change: Callable[[Named], Named]
) -> Named:
    try:
        with turn(path):
            written = read_offers(path, sources, required=False)
            found = change(effective(written, workspace, sources))
            _write(path, {**written, workspace: found})
    except OSError as error:
        raise InvalidInvocation(
            f"the offers in {path} cannot be changed: {error.strerror}",
            hint="Make the file writable, or change it where it comes from.",
        ) from None
    return found


def _write(path: str, offers: Offers) -> None:
    content = {
        workspace: {name: [one.to_json() for one in found] for name, found in named.items()}
        for workspace, named in offers.items()
    }
    replace_file(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())

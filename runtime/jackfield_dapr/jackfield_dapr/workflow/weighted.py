"""Mails of one notification shared among several providers by weight, to move traffic from one to
another step by step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from jackfield.kernel.errors import InvalidInvocation
from jackfield_dapr.workflow.notifying import invocations, is_single, recipients
from jackfield_dapr.workflow.providers import Provider, Providers

Weighted: TypeAlias = "Sequence[tuple[Provider, float]]"
"""Providers and their weights, in the order of the file."""
_PARTS = 1 << 64


def weighted(given: object, kind: str | None, providers: Providers, task: str) -> Weighted:
    """Return the providers of a task: one by its name, or several as ``{name: weight}``.

    :raises InvalidInvocation: if none is set, a weight is not a number from 0 on, or a provider is
        missing.
    """
    if isinstance(given, Mapping) and given:
        found = [
            (providers.find(str(name), kind), _weight(str(name), weight, task))
            for name, weight in given.items()
        ]
        if any(weight for _, weight in found):
            return found
        raise InvalidInvocation(
            f"'{task[:80]}': every provider has the weight 0",
            hint="Give at least one of them a weight.",
        )
    name = given or kind
    if not isinstance(name, str):
        raise InvalidInvocation(
            f"'{task[:80]}': no provider is set",
            hint=(
                "Set 'provider' to the provider's key, name or type, or to an object of "
                "providers and weights."
            ),
        )
    return [(providers.find(name, kind), 1)]


def mails(
    words: Mapping[str, Any], among: Weighted, *, strict: bool
) -> list[tuple[str | list[str], dict[str, Any]]]:
    """Return each recipient with the invocation of its mail, in the order of the recipients.

    :raises InvalidInvocation: as ``invocations``.
    """
    to = recipients(words.get("to"))
    if len(among) == 1 or not to:
        return invocations(words, among[0][0], strict=strict)
    if is_single(words):
        return invocations(words, _choose(among, ",".join(to)), strict=strict)
    made = {
        str(address): (address, mail)
        for provider, addresses in _shared(to, among)
        for address, mail in invocations({**words, "to": addresses}, provider, strict=strict)
    }
    return [made[address] for address in to]


def _shared(to: Sequence[str], among: Weighted) -> Iterator[tuple[Provider, list[str]]]:
    chosen = [(address, _choose(among, address)) for address in to]
    for provider, _ in among:
        addresses = [address for address, item in chosen if item is provider]
        if addresses:
            yield provider, addresses


def _choose(among: Weighted, text: str) -> Provider:
    """Choose by a hash of the recipient: repeated runs choose the same provider, and a change of
    weights moves as few recipients as possible.
    """
    point = (
        int.from_bytes(hashlib.sha256(text.lower().encode()).digest()[:8], "big")
        / _PARTS
        * sum(weight for _, weight in among)
    )
    for provider, weight in among:
        point -= weight
        if point < 0:
            return provider
    return [provider for provider, weight in among if weight][-1]  # rounding


def _weight(name: str, weight: object, task: str) -> float:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < _PARTS:
        raise InvalidInvocation(
            f"'{task[:80]}': the weight of the provider '{name[:80]}' must be a number of at "
            "least 0"
        )
    return weight

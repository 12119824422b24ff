"""Distance of two words: whether one edit changes one word into the other."""

from __future__ import annotations


def one_edit(one: str, other: str) -> bool:
    """Return whether the words differ by one edit: a letter inserted, deleted or changed, or two
    swapped.
    """
    if abs(len(one) - len(other)) > 1:
        return False
    shorter = min(len(one), len(other))
    head = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    first, second = one[head:], other[head:]
    swapped = (
        len(first) == len(second) > 1 and first[:2] == second[1::-1] and first[2:] == second[2:]
    )
    return swapped or first[1:] == second[1:] or first[1:] == second or first == second[1:]

"""The look of a platform on the page of a connect session: one colour, made readable in light and
dark (WCAG 2.2, 1.4.3).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache

from jackfield_service.shell.pages.layout.assets import content_of

Colour = tuple[float, float, float]

ENOUGH = 4.5
"""Minimum contrast of text to its background."""
_STEPS = 100
_ROOT = re.compile(r":root \{(.*?)\}", re.DOTALL)
_VARIABLE = re.compile(r"(?<![a-z-])(--[a-z-]+): (#[0-9a-f]{6})")
_BEHIND = ("--ground", "--surface", "--sunken")
"""CSS variables of the backgrounds on which the colour is text."""


def style_of(colour: str, scheme: str) -> str:
    """Return the style sheet of a theme. ``colour`` is ``#rrggbb`` or empty; ``scheme`` is light,
    dark, or empty for the reader's preference.
    """
    light, dark = _schemes()
    if scheme:
        chosen = dark if scheme == "dark" else light
        return f":root {{ color-scheme: {scheme}; {chosen} {_accents(colour, chosen)} }}"
    if not colour:
        return ""
    return (
        f":root {{ {_accents(colour, light)} }} @media (prefers-color-scheme: dark) {{ :root "
        f"{{ {_accents(colour, dark)} }} }}"
    )


def source_of(style: str) -> str:
    """Return the source expression that allows only this style sheet in a page's policy (CSP 3,
    hash-source).
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"


def accents(colour: str, behind: Mapping[str, str]) -> tuple[str, str]:
    """Return the colour, made darker or lighter until it is readable on all of ``behind``, and the
    colour of text on it.
    """
    grounds = [_parsed(text) for text in behind.values()]
    end = (0.0, 0.0, 0.0) if _luminance(grounds[0]) > 0.5 else (1.0, 1.0, 1.0)
    given = _parsed(colour)
    mixed = (_mixed(given, end, step / _STEPS) for step in range(_STEPS + 1))
    found = next(
        one for one in mixed if min(contrast(_hex(one), text) for text in behind.values()) >= ENOUGH
    )
    text = max(("#ffffff", "#000000"), key=lambda one: contrast(one, _hex(found)))
    return _hex(found), text


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2, contrast ratio)."""
    high, low = sorted((_luminance(_parsed(one)), _luminance(_parsed(other))), reverse=True)
    return (high + 0.05) / (low + 0.05)


def backgrounds(dark: bool) -> dict[str, str]:
    """Return the backgrounds of a scheme by their names."""
    found = dict(_VARIABLE.findall(_schemes()[dark]))
    return {name: found[name] for name in _BEHIND}


def _accents(colour: str, scheme: str) -> str:
    if not colour:
        return ""
    found = dict(_VARIABLE.findall(scheme))
    accent, text = accents(colour, {name: found[name] for name in _BEHIND})
    return f"--accent: {accent}; --accent-text: {text}; --focus: {accent};"


@cache
def _schemes() -> tuple[str, str]:
    """Return the CSS variables of the light and the dark scheme from the console's style sheet."""
    light, dark = _ROOT.findall(content_of("console.css").decode())[:2]
    return " ".join(light.replace("color-scheme: light dark;", "").split()), " ".join(dark.split())


def _parsed(text: str) -> Colour:
    return int(text[1:3], 16) / 255, int(text[3:5], 16) / 255, int(text[5:7], 16) / 255


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in colour)


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def _luminance(colour: Colour) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

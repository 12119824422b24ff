"""The error for an author's mistake in a connector's declarations."""

from __future__ import annotations

__all__ = ["DeclarationError"]


class DeclarationError(TypeError):
    """Invalid declaration by a connector's author. The message names the declaration and the reason."""

"""An author's mistake in what a connector declares."""

from __future__ import annotations

__all__ = ["DeclarationError"]


class DeclarationError(TypeError):
    """The author's declaration cannot be: the message says which and why."""

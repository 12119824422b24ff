"""A certificate authority of our own, for servers whose certificates must be verified: that of
``jackfield prove``.
"""

from __future__ import annotations

from jackfield_market.testing.proving.authority import Authority

__all__ = ["Authority"]

"""Trace context of a call (W3C Trace Context)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["traced"]

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")


def traced(invocation: Mapping[str, Any], parent: object) -> Mapping[str, Any]:
    """Add the trace ``parent`` to the invocation if it is valid and the invocation names no trace itself."""
    context = invocation.get("context", {})
    if not isinstance(parent, str) or not _TRACEPARENT.match(parent) or not isinstance(context, dict) or "traceparent" in context:
        return invocation
    return {**invocation, "context": {**context, "traceparent": parent}}

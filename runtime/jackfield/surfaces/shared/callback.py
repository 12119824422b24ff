"""Addresses of browsers that approve a connection. Operators register the callback at the provider once, for all surfaces."""

from __future__ import annotations

CALLBACK = "/oauth2/callback"
START = "/oauth2/start"

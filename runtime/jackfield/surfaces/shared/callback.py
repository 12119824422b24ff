"""Address at which a provider answers to an authorization, shared by the surfaces that begin one: operators register it once."""

from __future__ import annotations

CALLBACK = "/oauth2/callback"

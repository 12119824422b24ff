"""Identity of callers: tokens, JWTs, and people who sign in at the operator's identity provider."""

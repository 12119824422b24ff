"""Operations of the HTTP API on triggers."""

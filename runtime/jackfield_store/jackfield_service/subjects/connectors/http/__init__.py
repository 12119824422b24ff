"""Operations of the HTTP API on connectors."""

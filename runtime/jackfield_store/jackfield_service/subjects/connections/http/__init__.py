"""Operations of the HTTP API on connections."""

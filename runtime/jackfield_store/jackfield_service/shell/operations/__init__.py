"""Operations that the API shares with the console, MCP or Dapr."""

"""Commands on connections: managed, connected by people, and examined."""

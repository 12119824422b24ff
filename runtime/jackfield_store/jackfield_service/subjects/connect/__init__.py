"""Connect sessions: links on which a platform's customers connect their accounts. ``connecting`` is the way of one session."""

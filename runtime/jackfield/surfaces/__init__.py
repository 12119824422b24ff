"""Foreign protocols: each translates to an invocation and a Result back, and holds no logic of its own."""

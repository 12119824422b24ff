"""Features that take part in calls (``call/gate``), each in a module of its own."""

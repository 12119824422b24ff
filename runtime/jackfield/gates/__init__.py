"""Features that take part in calls (``pipe/gate``), each in a module of its own."""

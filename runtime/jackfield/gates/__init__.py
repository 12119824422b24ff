"""Features that take part in calls (``call/gate``), each in its own module."""

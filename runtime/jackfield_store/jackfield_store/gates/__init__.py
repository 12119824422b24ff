"""Features that take part in calls that are recorded (``pipe/gate``), each in a module of its own."""

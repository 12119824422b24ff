"""Features that take part in calls that are recorded (``call/gate``), each in a module of its own."""

"""Features that take part in recorded calls (``call/gate``), each in a module of its own."""

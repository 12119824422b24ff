"""Independent parts that several packages need, without connectors, calls and databases."""

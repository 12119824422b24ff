"""Many calls of one action at once: from lines of JSON, or from a table in the console."""

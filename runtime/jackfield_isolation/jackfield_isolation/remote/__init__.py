"""Stand-ins of a connector that runs in a child process, and the way to the child."""

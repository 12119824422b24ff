"""Proxies of a connector that runs in a child process, and the connection to the child."""

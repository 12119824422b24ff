"""Limits of a child process, as the kernel holds them."""

"""Limits of a child process, enforced by the kernel."""

"""The server for these tests."""

from dovecot_server import dovecot, dovecot_process

__all__ = ["dovecot", "dovecot_process"]

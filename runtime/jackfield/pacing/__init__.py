"""Rates and quotas of providers: places in a line for calls, in one process or in all that share a
database.

``line`` and ``quota`` are the arithmetic of one account, which ``state`` combines and ``rows``
store; ``pace`` shares it among callers, and ``turn`` waits for one call's place.
"""

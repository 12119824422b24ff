"""Rates and quotas of providers: places in a line for calls, in one process or in all that share a database.

``state`` is the arithmetic, ``rows`` store it, ``pace`` shares one line among callers, and ``turn`` waits for one call's place.
"""

"""The path from an invocation to a Result: admit, check, open, run, settle. ``pipeline`` calls the
stages in order.
"""

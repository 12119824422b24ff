"""From an invocation to a Result: admit, check, open, run, settle. ``pipeline`` draws the stages in order."""

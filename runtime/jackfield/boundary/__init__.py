"""The boundary of a program's own calls: ``once`` gives a plain function the guarantees of a
connector's action.

Each idempotency key has one row in the journal, written before the function runs and completed with
its outcome. Programs use ``once``; ``bound`` finds the journal, ``looks`` looks for the effect of a
doubt, ``values`` converts arguments and values to JSON.
"""

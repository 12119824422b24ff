"""The boundary of a program's own calls: ``once`` gives a plain function the guarantees of a connector's action.

Each call has a row in the journal: begun before the function runs, ended with its outcome, one row per key. Programs use ``once``;
``bound`` finds the journal, ``looks`` looks for the effect of a doubt, ``values`` converts arguments and values to JSON.
"""

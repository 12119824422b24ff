"""The boundary of a program's own calls: ``once`` gives a function what a connector's action has, without a connector.

A call has a row in the journal: begun before the function runs, ended by what became of it, once for a key. ``once`` is what programs use,
``bound`` where the rows are, ``looks`` how a doubt is looked up, ``values`` the JSON of arguments and values.
"""

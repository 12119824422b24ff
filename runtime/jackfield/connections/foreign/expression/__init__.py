r"""``${ … }``: the part of jq that configuration files need. Paths, ``//``, texts with ``\( )``, lists, ``+``, comparisons and ``if``.

What is beyond that goes to the ``jq`` package where it is installed (extra ``jq``).
"""

from jackfield.connections.foreign.expression.evaluating import ExpressionError, check, evaluate, substitute

__all__ = ["ExpressionError", "check", "evaluate", "substitute"]

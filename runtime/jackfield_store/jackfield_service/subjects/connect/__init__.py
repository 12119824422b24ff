"""Connect sessions: links on which a platform's customers connect their accounts. ``connecting``
has the steps of a session.
"""

"""Proof in public: what well-known software of PyPI and npm does with a write whose answer is lost,
and the same writes through jackfield.
"""

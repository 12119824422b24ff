"""``jackfield prove``: the behaviour of code when a provider's answer is lost. A simulated provider
records which requests took effect, and judges.
"""

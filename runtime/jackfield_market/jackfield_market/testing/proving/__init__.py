"""``jackfield prove``: the behaviour of code when a provider's answer is lost. A provider in between records which requests took effect,
and judges."""

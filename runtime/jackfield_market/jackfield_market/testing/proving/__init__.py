"""``jackfield prove``: what code does when a provider's answer is lost. A provider in between records what took effect, and judges."""

"""What jackfield costs, as ratios measured side by side in one run against a fake endpoint on
loopback.
"""

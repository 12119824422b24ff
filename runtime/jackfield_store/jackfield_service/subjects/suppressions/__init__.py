"""Recipients who get no more messages, and the guards of connections, which watch bounces and
complaints.
"""

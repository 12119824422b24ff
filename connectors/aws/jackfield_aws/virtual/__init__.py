"""Virtual connectors ``aws.<service>``: every operation of the installed botocore as an action,
made from its service models on demand.
"""

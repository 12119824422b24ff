"""Two systems whose programs run unchanged on jackfield's connectors: Dapr's bindings (``sidecar``)
and Thand's workflow files.
"""

"""HashiCorp Vault and OpenBao: secrets of the KV engine for references (``$vault``), and data keys
wrapped by the Transit engine.
"""

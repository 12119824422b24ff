"""The shelf: ready connectors as short OpenAPI files, and the code that makes projects and packages
from them.
"""

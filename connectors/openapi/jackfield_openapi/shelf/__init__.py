"""The shelf: ready connectors as short OpenAPI files of our own, and the code that makes projects and packages from them."""

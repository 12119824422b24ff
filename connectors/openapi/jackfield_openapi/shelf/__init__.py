"""The shelf: ready connectors as short OpenAPI files of our own, and what makes projects and packages of them."""

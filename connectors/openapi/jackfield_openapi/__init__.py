"""Connectors from OpenAPI documents: reading, conversion, curation and the files of the project."""

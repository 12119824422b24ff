"""Package that makes connectors from OpenAPI documents: reading, conversion, curation and the files
of the project.
"""

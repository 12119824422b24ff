"""HTTP requests and their answers: bodies, refusals as problem documents, addresses of the server,
IDs.
"""

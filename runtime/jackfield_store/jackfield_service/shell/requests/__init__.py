"""Requests of HTTP and their answers: bodies, refusals as problem documents, addresses of the server, ids."""

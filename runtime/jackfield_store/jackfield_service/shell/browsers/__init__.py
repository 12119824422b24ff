"""Requests that browsers send: cookies, and the pages that may call."""

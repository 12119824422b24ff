"""Packages of connectors: pack, sign and verify wheels, compare versions, publish a catalogue of
them, and install from one.
"""

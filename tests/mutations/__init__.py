"""Mutations: small patches that break the vault or its judges, each of which some test must notice.

`python -m tests.mutations` applies each to a copy of the tree and runs the tests that must catch it.
"""

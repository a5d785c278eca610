"""The HTTP surface: operation table, handlers, problems, tokens."""

"""The `flexvault` command. It speaks HTTP to a vault and knows nothing of the vault's code."""

__version__ = "0.1.0"

"""The ports over Azure's SDKs."""

"""Bring a vault to what a folder says: read the folder, compare it with the vault, plan, carry out."""

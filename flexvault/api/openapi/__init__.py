"""The OpenAPI 3.1 document of the vault's own operations: made of the operation table and of typed contracts."""

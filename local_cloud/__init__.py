"""A whole Azure on one machine; not deployed, imports nothing of flexvault."""

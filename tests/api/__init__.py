"""The HTTP API over memory ports: no network, no host."""

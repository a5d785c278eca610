"""Microsoft's own SDK, sync and aio, walks every operation of a running vault."""

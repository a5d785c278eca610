"""Rules without the world: no network, no files, no clock."""

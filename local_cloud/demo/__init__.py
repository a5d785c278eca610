"""The demo: a real backup, a real restore, and the proof that both are equal."""

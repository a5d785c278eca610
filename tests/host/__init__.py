"""The local Functions host against what the real one was seen to do."""

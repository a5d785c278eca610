"""What happens in which order: the loop alone, and under the real replay engine."""

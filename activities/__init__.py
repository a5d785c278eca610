"""What may be retried, one file per promise."""

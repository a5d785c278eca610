"""What wakes the vault: timers and HTTP."""

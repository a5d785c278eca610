"""The flexvault command; speaks HTTP only."""

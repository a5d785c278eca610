"""What each command does: requests in the order in which Azure's own clients send them. One module for each noun."""

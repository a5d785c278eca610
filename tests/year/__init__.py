"""A year of policy days, and three of them on Azurite: services and orchestrators under one simulated clock."""

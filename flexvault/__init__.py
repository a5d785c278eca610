"""The vault itself; knows nothing of Azure Functions."""

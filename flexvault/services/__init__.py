"""One use case per module, over the ports; synchronous."""

"""Durable Functions: the task hub, its store, and the pump that hands its work items to the app."""

"""The use cases; each can be called from a view and from a task."""

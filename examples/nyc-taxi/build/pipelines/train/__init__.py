"""The train pipeline: trains the fare model, evaluates it, and registers it where it is good enough."""

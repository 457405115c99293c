"""The assets of the commerce location."""

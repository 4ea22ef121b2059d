"""A WebRTC signalling server that one bad connection cannot stop."""

__version__ = "0.1.0"

__all__ = ["__version__"]

"""How a connection gets in: listeners, accepted transports, admission, and the books."""

"""What an operator needs: the log, and time that nobody sets."""

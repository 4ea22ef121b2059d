"""What an operator needs: logs and signals."""

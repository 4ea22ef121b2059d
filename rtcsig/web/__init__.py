"""Plain HTTP: health, readiness, metrics, and a page for people."""

"""Clients of a signalling server, for programs and monitors."""

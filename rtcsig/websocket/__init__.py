"""The only room that knows Autobahn."""

"""Helpers that every package of fastgan may use. They are not part of the public API."""

"""Choosing images that differ: functions on arrays of vectors, one vector an image."""

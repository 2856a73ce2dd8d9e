"""Streams: frames in order of capture, made of the scenes of another data set."""

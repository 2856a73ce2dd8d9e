"""Where the frames of a node come from."""

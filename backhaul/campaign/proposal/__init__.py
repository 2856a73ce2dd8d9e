"""A campaign for a data set that nobody has written a config for."""

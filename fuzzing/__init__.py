"""Inputs that nobody expects, for every reader of what comes from outside."""

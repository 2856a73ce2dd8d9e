"""Terminal output of a running command, made from `backhaul.events`."""

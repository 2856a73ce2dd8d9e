"""What a person sees of a command while it runs, made of `backhaul.events`."""

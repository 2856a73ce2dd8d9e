"""How Backhaul is put on machines; see README.md."""

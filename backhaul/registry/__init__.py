"""The models of a run: numbered versions with cards, and a log of what was decided of each."""

"""``python -m backhaul`` does what the command does."""

from backhaul.cli import main

main()

"""Copies of training images: how many of which, how they look, and writing them."""

from backhaul.learn.augmentation.copies import make_copies
from backhaul.learn.augmentation.plan import Plan, plan

__all__ = ["Plan", "make_copies", "plan"]

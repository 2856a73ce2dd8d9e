"""Augmented copies of training images: how many, how they look, and how they are written."""

from backhaul.learn.augmentation.copies import make_copies
from backhaul.learn.augmentation.plan import Plan, plan

__all__ = ["Plan", "make_copies", "plan"]

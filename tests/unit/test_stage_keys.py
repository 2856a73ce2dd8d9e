"""An argument that came later leaves the keys of what was there before as they are."""

import inspect

from tasks.keys import StageKey


def look(img_size: int, needs: tuple[str, ...] = ()) -> None:
    """Stand for a stage that got an argument later."""


def test_a_neutral_value_leaves_the_key_as_it_is() -> None:
    before = StageKey(stage="inference").key_of({"img_size": 96})
    key = StageKey(stage="inference", signature=inspect.signature(look))
    assert key.key_of({"img_size": 96}) == before
    assert key.key_of({"img_size": 96, "needs": ()}) == before
    assert key.key_of({"img_size": 96, "needs": ("scores",)}) != before

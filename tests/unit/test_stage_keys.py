"""An argument that came later leaves the keys of what was there before as they are."""

from tasks.keys import StageKey


def test_a_neutral_value_leaves_the_key_as_it_is() -> None:
    before = StageKey(stage="inference").key_of({"img_size": 96})
    key = StageKey(stage="inference", neutral={"needs": ()})
    assert key.key_of({"img_size": 96}) == before
    assert key.key_of({"img_size": 96, "needs": ()}) == before
    assert key.key_of({"img_size": 96, "needs": ("scores",)}) != before

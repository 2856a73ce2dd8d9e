"""What a study compares, on what, and how often."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from backhaul.campaign.config import CampaignConfig
from backhaul.data.recipes import Sending
from backhaul.sampling import Method, TrueRandomSampling
from backhaul.settings import Fraction, Part, PositiveInt
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import ORIGINAL

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name: TypeAlias = Annotated[str, Field(pattern=NAME, max_length=100)]
Seed: TypeAlias = Annotated[int, Field(ge=0)]
Role: TypeAlias = Literal["choose", "test"]

INITIAL = "initial"
CONTROL = "no-new-data"
CEILING = "all-images"
REFERENCES = (INITIAL, CONTROL, CEILING)
"""What every seed has beside the arms: the initial model, and the models retrained with nothing
new and with the whole pool. Nobody chooses anything for them."""

OF_THE_STUDY = {
    "name": "set",
    "bandwidth": {"images": 0},
    "methods": ["true-random"],
    "control": False,
}
"""What stands in a set for the fields of a campaign that the study itself decides."""
UNUSED = (
    *("seed", "seeds", "store", "execution", "parallel", "queue", "restarts", "uplink"),
    *("cropping", "mixing", "futility"),
)
"""Fields of a campaign that a study passes over: it has its own, or has no use for them."""


class Budget(Part):
    """What an arm may send of the pool; one of several that a study plans."""

    images: PositiveInt | None = Field(None, description="most images; null = no limit")
    bytes: PositiveInt | None = Field(None, description="most bytes; null = no limit")
    pool_bytes: Fraction | None = Field(
        None, description="most bytes, as a fraction of those of the pool; null = no limit"
    )

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if self.bytes is not None and self.pool_bytes is not None:
            raise ValueError("bytes and pool_bytes: give one of them")
        if not self.name:
            raise ValueError("expected images, bytes or pool_bytes")
        return self

    @property
    def name(self) -> str:
        """Its name in tables, for example ``images=10`` or ``pool_bytes=0.1``."""
        return " ".join(f"{name}={limit}" for name, limit in self if limit is not None)

    def of_pool(self, pool_bytes: int) -> Bandwidth:
        """Return it as the bandwidth of a pool that has so many bytes."""
        share = None if self.pool_bytes is None else int(self.pool_bytes * pool_bytes)
        return Bandwidth(images=self.images, bytes=self.bytes if share is None else share)


class Seeds(Part):
    """Seeds that a default is chosen by, and others that test it once."""

    choose: tuple[Seed, ...] = Field((), description="seeds to choose methods and settings by")
    test: tuple[Seed, ...] = Field((), description="seeds by which alone the primary is judged")

    @model_validator(mode="after")
    def _check_apart(self) -> Self:
        everything = [*self.choose, *self.test]
        if not everything:
            raise ValueError("expected at least one")
        if len(set(everything)) < len(everything):
            raise ValueError("a seed is given twice")
        return self

    def role(self, seed: int) -> Role:
        """Return what a seed is for."""
        return "choose" if seed in self.choose else "test"


class StudyConfig(Part):
    """A study: arms that choose from the same pools at the same budgets, seed by seed."""

    name: Name = Field(description="name of the study, and of its folder in studies/")
    store: str = Field(".", description="root of the store for what is computed")
    parallel: PositiveInt = Field(2, description="seeds that are computed side by side")
    sets: dict[Name, CampaignConfig] = Field(
        description="by name, a campaign's YAML file, or its fields; without methods and "
        "bandwidth"
    )
    no_harm: tuple[Name, ...] = Field(
        (),
        description="sets on which the primary need not win, and is asked whether it does no "
        "harm",
    )
    seeds: Seeds = Field(description="a list of seeds that test, or choose and test apart")
    arms: tuple[Method, ...] = Field(description="sampling methods to compare")
    baseline: Method = Field(
        TrueRandomSampling(), description="what all arms are compared with"
    )
    draws: PositiveInt = Field(3, description="times that the baseline is drawn a seed")
    primary: str | None = Field(
        None, description="label of the arm of the one primary hypothesis; null = the first"
    )
    training_seeds: PositiveInt = Field(
        2, description="times that the detector is retrained with each choice of images"
    )
    budgets: tuple[Budget, ...] = Field(description="what may be sent of the pool, planned")
    recipes: dict[Name, Sending] = Field(
        {},
        description="by name, in what form images are sent, original among them; each arm is "
        "played with each; empty = as the set says",
    )

    @field_validator("sets", mode="before")
    @classmethod
    def _complete_sets(cls, value: Any) -> Any:
        """Give the campaigns what the study decides, so that their own checks can be made."""
        if not isinstance(value, dict) or not value:
            raise ValueError("expected a name and a campaign each")
        return {name: _completed(fields) for name, fields in value.items()}

    @field_validator("sets")
    @classmethod
    def _check_sets(cls, value: dict[str, CampaignConfig]) -> dict[str, CampaignConfig]:
        for name, campaign in value.items():
            if campaign.data.kind == "inbox":
                raise ValueError(f"{name}.data.kind inbox: a study needs a data set")
            if campaign.training.retrain_steps is None:
                raise ValueError(
                    f"{name}.training.retrain_steps: is missing: all arms are retrained for "
                    "the same number of steps"
                )
        return value

    @field_validator("seeds", mode="before")
    @classmethod
    def _accept_list(cls, value: Any) -> Any:
        return {"test": value} if isinstance(value, list | tuple) else value

    @field_validator("arms", "budgets")
    @classmethod
    def _check_any(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value:
            raise ValueError("expected at least one")
        return value

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        labels = [*REFERENCES, self.baseline.label, *(arm.label for arm in self.arms)]
        names = [budget.name for budget in self.budgets]
        for key, given in (("arms", labels), ("budgets", names)):
            if repeated := sorted({each for each in given if given.count(each) > 1}):
                raise ValueError(f"{key}: {repeated[0]!r} is given twice, or always there")
        if self.primary is not None and self.primary not in labels[len(REFERENCES) + 1 :]:
            raise ValueError(f"primary: {self.primary!r} is the label of no arm")
        if unknown := sorted(set(self.no_harm) - set(self.sets)):
            raise ValueError(f"no_harm: {unknown[0]!r} is no set: {', '.join(self.sets)}")
        return self

    @field_validator("recipes")
    @classmethod
    def _check_recipes(cls, value: dict[str, Sending]) -> dict[str, Sending]:
        if value and (ORIGINAL not in value or value[ORIGINAL].kind != ORIGINAL):
            raise ValueError(
                f"expected one named {ORIGINAL}, of that kind: others are compared with it"
            )
        return value

    def recipes_of(self, name: str) -> dict[str, Sending]:
        """Return in what forms images of a set are sent, by name, that of the arms first."""
        own = self.sets[name].sending
        others = {n: each for n, each in self.recipes.items() if n != ORIGINAL}
        return {ORIGINAL: self.recipes[ORIGINAL]} | others if self.recipes else {own.kind: own}

    def first_recipe(self, name: str) -> str:
        """Return the name of the form in which images of a set are sent when arms compete."""
        return next(iter(self.recipes_of(name)))

    @property
    def primary_label(self) -> str:
        """Label of the arm of the primary hypothesis."""
        return self.primary or self.arms[0].label

    @property
    def judged_by(self) -> Role:
        """The role of the seeds that the page is about: those that test, if there are any."""
        return "test" if self.seeds.test else "choose"

    @property
    def methods(self) -> dict[str, Method]:
        """All that choose, by label: the baseline, the primary, and the other arms."""
        arms = {arm.label: arm for arm in self.arms}
        first = self.primary_label
        return {self.baseline.label: self.baseline, first: arms[first]} | arms

    @property
    def as_written(self) -> dict[str, Any]:
        """The study as a file could say it, without what a set does not use."""
        unused = {*OF_THE_STUDY, *UNUSED}
        return self.model_dump(mode="json", exclude={"sets": {"__all__": unused}})

    def campaign(self, name: str, seed: int) -> CampaignConfig:
        """Return a set as the campaign of one seed, whose stages the study runs."""
        own = {"name": f"{self.name}-{name}", "store": self.store, "seed": seed}
        return self.sets[name].model_copy(update=own)


def _completed(fields: Any) -> Any:
    if not isinstance(fields, dict):
        return fields
    return {k: v for k, v in fields.items() if k not in UNUSED} | OF_THE_STUDY

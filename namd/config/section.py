"""The base of every configuration section: no unknown keys, no infinities, no later changes."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One block of a YAML file.

    Subclasses document each key once, in its ``Field(description=…)``; ``namd config schema``
    prints exactly those descriptions and defaults.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

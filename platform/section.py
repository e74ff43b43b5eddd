"""What all sections of a scenario have in common: typed keys with defaults, and nothing else.

The docstring under a key is its help: ``droidloop scenarios keys`` and the pages print it.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Weights = dict[str, Annotated[float, Field(ge=0.0)]]


class Section(BaseModel):
    """A table of the file: no unknown keys, no silent conversions, no infinities."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

"""What all sections of a scenario have in common: typed keys with defaults, and nothing else.

The docstring under a key is its help: ``droidloop scenarios keys`` and the pages print it. Every
number has a least and a greatest value, which the types here say: within them no clock, counter or
product of a run overflows, and none is so small that it rounds to nothing. A test says which key
has none.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST = 1_000_000
"""Of anything that is counted, made or repeated, where nothing else says: a thousand times what
the methods that we know of were published with."""
PEOPLE = 10_000_000
"""Of users, phones and items: ten times the largest fleet that was measured (docs/scale.md)."""
FOREVER_DAYS = 36_525.0
"""A hundred years: 3.2e15 microseconds, so that sums of a thousand times stay below 2^62."""
LEAST, GREATEST = 1e-9, 1e9
"""Of factors, weights and rates of learning: their squares and products are float32 numbers."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(ge=LEAST, le=GREATEST)]
NotNegative = Annotated[float, Field(ge=0.0, le=GREATEST)]
Weight = NotNegative
Word = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""A name that tables and pictures show: without controls."""
Weights = dict[Word, Weight]

Count = Annotated[int, Field(ge=1, le=MOST)]
CountOrNone = Annotated[int, Field(ge=0, le=MOST)]
Size = Annotated[int, Field(ge=1, le=4096)]
"""Of vectors and layers: four times the widest ones of the papers in ``docs/references.md``."""
People = Annotated[int, Field(ge=1, le=PEOPLE)]
Number = Annotated[int, Field(ge=0, lt=PEOPLE)]
"""Of a phone or an item: its row."""
ListLength = Annotated[int, Field(ge=1, le=2**15 - 1)]
"""Places of lists are 16 bits in the ledger."""
Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""The integers of TOML."""

Seconds = Annotated[float, Field(ge=1e-6, le=FOREVER_DAYS * 86_400)]
"""From a microsecond, the unit of all clocks."""
SecondsOrNone = Annotated[float, Field(ge=0.0, le=FOREVER_DAYS * 86_400)]
Hours = Annotated[float, Field(ge=1e-6 / 3600, le=FOREVER_DAYS * 24)]
HoursOrNone = Annotated[float, Field(ge=0.0, le=FOREVER_DAYS * 24)]
Days = Annotated[float, Field(ge=1e-6 / 86_400, le=FOREVER_DAYS)]
DaysOrNone = Annotated[float, Field(ge=0.0, le=FOREVER_DAYS)]
Mbps = Annotated[float, Field(ge=0.001, le=1e6)]
"""From a kilobit a second, below which no radio that we know of is; to a terabit."""
Name = Annotated[str, Field(max_length=100)]
Text = Annotated[str, Field(max_length=4096)]
File = Annotated[str, Field(max_length=4096, pattern=r"^(?:[^/\x00]{0,255}/)*[^/\x00]{0,255}$")]
"""A path, and each name in it, as long as Linux takes them."""


class Section(BaseModel):
    """A table of the file: no unknown keys, no silent conversions, no infinities."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
    )

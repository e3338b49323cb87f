"""What all settings share."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of all settings: frozen, and closed to what nobody declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

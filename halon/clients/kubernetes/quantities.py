"""Kubernetes' quantities as numbers: `250m` of a processor is 0.25, `64Mi` of memory is 67108864 bytes. Pure.

The forms are those of https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
"""

import re
from decimal import Decimal

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")
_SUFFIXES = {
    "": Decimal(1),
    **{name: Decimal(10) ** power for name, power in zip("num", (-9, -6, -3), strict=True)},
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", 1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", 1)},
}
_LONGEST = 40
"""Characters; a number of the API is far shorter."""


def amount(text: str) -> float:
    """Read a quantity.

    Raises:
        ValueError: it is none.
    """
    found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(f"{text[:_LONGEST]!r} is not a quantity such as 250m or 64Mi")
    number, exponent, suffix = found.groups()
    return float(Decimal(f"{number}{exponent or ''}") * _SUFFIXES[suffix or ""])

"""How many tokens a text is, without asking anybody and without a table that would have to be fetched."""

from __future__ import annotations

import math
from typing import Final

_BYTES_PER_TOKEN: Final = 3
_UP: Final = 0.5
_DOWN: Final = 0.1
"""How much one count moves the average. An estimate that is too low gets an answer refused, one that is too high costs
a line of the conversation: so it follows quickly upwards, and slowly down."""
_LOWEST, _HIGHEST = 0.5, 4.0
_CACHED: Final = 0.25  # A server that counts less than this of what was estimated leaves out what it had read before.
_MODELS_MAX: Final = 200


class Tokens:
    """Estimates tokens as a third of the UTF-8 bytes, corrected by what servers counted, for each model."""

    def __init__(self) -> None:
        self._factors: dict[str, float] = {}

    def estimate(self, model: str, text: str) -> int:
        """Return about how many tokens a text is for a model; 0 only for an empty text."""
        size = len(text.encode("utf-8", "surrogatepass"))
        return math.ceil(size / _BYTES_PER_TOKEN * self._factors.get(model, 1.0))

    def learn(self, model: str, estimated: int, counted: int) -> None:
        """Correct the estimates of a model by what its server counted for the same text; nonsense teaches nothing."""
        if estimated <= 0 or counted <= estimated * _CACHED:
            return
        if model not in self._factors and len(self._factors) >= _MODELS_MAX:
            del self._factors[next(iter(self._factors))]
        factor = self._factors.get(model, 1.0)
        right = factor * counted / estimated
        moved = factor + (right - factor) * (_UP if right > factor else _DOWN)
        self._factors[model] = min(_HIGHEST, max(_LOWEST, moved))

"""What a model's tokens cost, by the price table that ships with ``genai-prices``: no network, and no guess.

A model is looked up once for each process. One that the table does not know has no price, and is told so; it is never
free. Rates are those of the table's lowest tier: what a provider adds for a very long prompt is not in them, because a
run reports sums and not requests.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

import msgspec

from core.domain.words import Usage

MILLION = 1_000_000
LONGEST = 200  # characters of a model's name worth looking up

# Whose model a bare name is. Without its maker a name may find another seller's price.
MAKERS: tuple[tuple[str, str], ...] = (
    (r"claude[-_.]|anthropic\.claude", "anthropic"),
    (r"gpt-|chatgpt-|codex-|o[134](-|$)", "openai"),
    (r"gemini-|gemma-", "google"),
    (r"glm-", "zai"),
    (r"kimi-|moonshot-", "moonshotai"),
    (r"deepseek-", "deepseek"),
    (r"grok-", "x-ai"),
    (r"mistral-|magistral-|devstral-|codestral-|ministral-", "mistral"),
)


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Millionths of a dollar for a million tokens of each kind. ``provider``: whose price list; ``model``: its name
    for it."""

    provider: str
    model: str
    fresh: int
    cache_read: int
    cache_write: int
    output: int

    def price(self, usage: Usage) -> int:
        """Millionths of a dollar."""
        total = (
            usage.input_tokens * self.fresh
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_tokens * self.cache_write
            + usage.output_tokens * self.output
        )
        return round(total / MILLION)


@lru_cache(maxsize=1_000)
def rates(model: str) -> Rates | None:
    """The rates of a model id (``claude-sonnet-4-5``, or ``provider/model``); None when the table has no price for it.

    The first call reads the table, a fifth of a second: call it from a reader's thread, never while drawing.
    """
    name = model.strip()[:LONGEST]
    if not name:
        return None
    provider, ref = _whose(name)
    return _looked_up(provider, ref) if provider else None


@lru_cache(maxsize=1_000)
def context_window(model: str) -> int | None:
    """Tokens the model reads at most in one call; None when the table does not say."""
    import genai_prices.data_snapshot

    provider, ref = _whose(model.strip()[:LONGEST])
    if not provider:
        return None
    try:
        _, found = genai_prices.data_snapshot.get_snapshot().find_provider_model(ref, None, provider, None)
    except LookupError:
        return None
    return found.context_window


def _whose(name: str) -> tuple[str, str]:
    """The provider and its name for the model; no provider when the name does not tell."""
    provider, slash, ref = name.partition("/")
    if slash:
        return provider.lower(), ref
    return next((maker for pattern, maker in MAKERS if re.match(pattern, name.lower())), ""), name


def _looked_up(provider: str, ref: str) -> Rates | None:
    import genai_prices

    def mtok(**tokens: int) -> int:
        """What a million tokens cost at the lowest tier: the table is asked for a thousand."""
        cost = genai_prices.calc_price(genai_prices.Usage(**tokens), model_ref=ref, provider_id=provider)
        return int(cost.total_price * Decimal(1_000) * MILLION)

    try:
        found = genai_prices.calc_price(genai_prices.Usage(input_tokens=1), model_ref=ref, provider_id=provider)
        return Rates(
            provider=found.provider.id,
            model=found.model.id,
            fresh=mtok(input_tokens=1_000),
            cache_read=mtok(input_tokens=1_000, cache_read_tokens=1_000),
            cache_write=mtok(input_tokens=1_000, cache_write_tokens=1_000),
            output=mtok(output_tokens=1_000),
        )
    except LookupError:
        return None

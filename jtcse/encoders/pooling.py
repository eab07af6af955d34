"""One vector a sentence out of a tower's output."""

from __future__ import annotations

from torch import Tensor

from jtcse.core.errors import unknown

BESIDE_LAST = {"first_last": 0, "first_last_1": 1, "last_two": -2}
"""Hidden state that is averaged with the last one: embeddings, layer 1, last but one."""


POOLINGS = ("cls", "mean", "avg", "pooler", *BESIDE_LAST)


def pool(output, mask: Tensor, pooling: str) -> Tensor:
    """One vector a sentence out of a stock tower's output.

    Args:
        output: of the tower, with hidden states where one of ``BESIDE_LAST`` is asked for.
        mask: (n, l), 1 for tokens and 0 for padding.
        pooling: ``cls`` (before the pooler), ``mean`` = ``avg`` (Table XI's name for it) of all tokens of the last layer,
            ``pooler`` (dense and tanh); means of two layers: ``first_last`` of embeddings and last layer, ``first_last_1`` of
            layer 1 and last layer, ``last_two``.
    Returns:
        (n, d)
    """
    if pooling == "cls":
        return output.last_hidden_state[:, 0]
    if pooling == "pooler":
        return output.pooler_output
    states = output.last_hidden_state
    if pooling in BESIDE_LAST:
        states = (output.hidden_states[BESIDE_LAST[pooling]] + states) / 2
    elif pooling not in ("mean", "avg"):
        raise unknown("pooling", pooling, POOLINGS)
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)

"""Cross-attention between two towers (Sec. III.B), on stock layers, without touching their code.

Sizes: n sentences, l tokens, d width, a attention heads, e = d / a.

At a cross-attention layer (CAEL) j a tower's own attention matrix weights the *other* tower's values (Eqs. 8-10):

    SA_I   = softmax(Q_I K_I^T / sqrt(e))        Q, K, V from the hidden states HD^{j-1} of the respective tower
    CACT_I = SA_I V_II                           (Eq. 9 with V_I is the tower's ordinary context)

No weight is added. The paper does not say what becomes of CACT, and the authors' file is not public; these are the readings
offered, with A(x, r) = LayerNorm(dropout(W_O x + b_O) + r) of tower I's own attention output, c_I what Eq. 12 reads as c^O,
and J the last CAEL:

    none      no cross stream; Eq. 12 keeps its first term only
    last      c_I = A^J(CACT_I^J, HD_I^{J-1}).  The main stream is untouched.
    carried   S_I = HD_I^{j-1} before the first CAEL j;  S_I <- A^j(CACT_I^j, S_I) at every CAEL;  layers that are no CAEL
              leave S_I as it is;  c_I = S_I after J.  No feed-forward on this path (Fig. 4a draws none).  The main stream is
              untouched, so the towers can be used alone afterwards, as the authors' evaluation does.
    fed       the main stream itself attends to the mean of both towers' values at each CAEL:
              context_I = SA_I (V_I + V_II) / 2, then the layer's usual output, feed-forward and norms.  The mean, not the
              sum: the output projection has never seen contexts of twice the size.  c_I as in ``last``, on these states.

Eq. 8 prints the root of the hidden size; stock towers divide by the root of the head size e, and so do we. In all readings
only [CLS] of the cross stream is read, and each row of the recurrences depends on its own row of S alone: so only that row
is computed. With dropout on, the cross path draws its own masks.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from jtcse.core.errors import UserError


def cael_layers(depth: int, count: int) -> list[int]:
    """Eq. 7: the layers, counted from 1, that are cross-attention layers, ``count`` of them at equal distance.

    Raises:
        UserError: the count does not divide the depth.
    """
    if count < 1 or depth % count:
        valid = [c for c in range(1, depth + 1) if depth % c == 0]
        raise UserError(
            f"{count} cross-attention layers do not divide a depth of {depth} layers; valid counts: {valid}"
        )
    interval = depth // count
    return list(range(interval, depth + 1, interval))


def _heads(x: Tensor, heads: int) -> Tensor:
    """(n, l, d) -> (n, a, l, e)"""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def attend(layer, queries: Tensor, hidden: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Context of some rows under a layer's own attention matrix: SA . V (Eqs. 8-10).

    Args:
        layer: a stock BERT or RoBERTa encoder layer.
        queries: (n, q, d) hidden states of the rows that attend.
        hidden: (n, l, d) hidden states of the same tower, for the keys.
        values: (n, l, d) value projections, of whichever tower.
        mask: (n, 1, 1, l) boolean, True where there is a token.
    Returns:
        (n, q, d)
    """
    attention = layer.attention.self
    heads = attention.num_attention_heads
    q, k = _heads(attention.query(queries), heads), _heads(attention.key(hidden), heads)
    dropout = attention.dropout.p if attention.training else 0.0
    context = F.scaled_dot_product_attention(q, k, _heads(values, heads).to(q.dtype), attn_mask=mask, dropout_p=dropout)
    return context.transpose(1, 2).flatten(-2)


def crossed_cls(layer, hidden: Tensor, other_layer, other_hidden: Tensor, mask: Tensor, residual: Tensor) -> Tensor:
    """A(CACT, residual) at [CLS]: (n, l, d), (n, l, d) of the other tower, (n, 1, d) -> (n, 1, d)."""
    context = attend(layer, hidden[:, :1], hidden, other_layer.attention.self.value(other_hidden), mask)
    return layer.attention.output(context, residual)


def cross_streams(
    towers: Sequence, states: Sequence[Sequence[Tensor]], mask: Tensor, caels: Sequence[int], reading: str
) -> list[Tensor]:
    """c^O of both towers beside an untouched main stream, in the readings ``last`` and ``carried``.

    Args:
        towers: two stock towers.
        states: for each tower its depth + 1 hidden states, (n, l, d) each, embeddings first.
        mask: (n, l), 1 for tokens.
        caels: layers counted from 1 (``cael_layers``).
    Returns:
        for each tower (n, d).
    """
    seen = mask.bool()[:, None, None, :]
    crossed = []
    for own, other in ((0, 1), (1, 0)):
        stream = None
        for j in caels if reading == "carried" else caels[-1:]:
            hidden = states[own][j - 1]
            stream = crossed_cls(
                towers[own].encoder.layer[j - 1],
                hidden,
                towers[other].encoder.layer[j - 1],
                states[other][j - 1],
                seen,
                hidden[:, :1] if stream is None else stream,
            )
        crossed.append(stream.squeeze(1))
    return crossed


def fed_forward(
    towers: Sequence, tokens: Tensor, mask: Tensor, caels: Sequence[int]
) -> tuple[list[Tensor], list[Tensor]]:
    """Both towers in lockstep in the reading ``fed``.

    Args:
        tokens, mask: (n, l).
        caels: layers counted from 1; with none this equals the stock towers.
    Returns:
        last hidden states, (n, l, d) a tower; c^O, (n, d) a tower (empty without CAELs).
    """
    seen = mask.bool()[:, None, None, :]
    hidden = [tower.embeddings(input_ids=tokens) for tower in towers]
    crossed: list[Tensor] = []
    for j in range(1, len(towers[0].encoder.layer) + 1):
        layers = [tower.encoder.layer[j - 1] for tower in towers]
        values = [layer.attention.self.value(h) for layer, h in zip(layers, hidden, strict=True)]
        if j in caels:
            if j == caels[-1]:
                crossed = [
                    crossed_cls(layers[i], hidden[i], layers[1 - i], hidden[1 - i], seen, hidden[i][:, :1]).squeeze(1)
                    for i in (0, 1)
                ]
            values = [(values[0] + values[1]) / 2] * 2
        hidden = [_layer(*parts, seen) for parts in zip(layers, hidden, values, strict=True)]
    return hidden, crossed


def _layer(layer, hidden: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """A stock layer with given value projections."""
    attended = layer.attention.output(attend(layer, hidden, hidden, values, mask), hidden)
    return layer.output(layer.intermediate(attended), attended)

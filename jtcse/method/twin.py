"""What is trained: towers that turn a batch, split by length, into the vectors that the losses read.

Sizes: n sentences of a batch, v views of each, l tokens, d width.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from jtcse.core.errors import UserError
from jtcse.encoders.batches import Batch, in_order
from jtcse.method.cross_attention import cael_layers, cross_streams, fed_forward


class Twin(nn.Module):
    """Two stock towers and, between them, a reading of the paper's cross-attention.

    Gives ``h_1, h_2`` ([CLS] of the last hidden states), ``p_1, p_2`` (pooler outputs) and, unless ``cross_stream`` is
    ``none``, ``c_1, c_2`` ([CLS] of the cross streams): (v, n, d) each.

    Raises:
        UserError: towers of different family, width, depth, heads or vocabulary; no pooler; a CAEL count that does not
            divide the depth.
    """

    def __init__(self, first, second, *, cross_stream: str = "carried", cael_count: int = 1) -> None:
        super().__init__()
        check_alike(first, second)
        self.towers = nn.ModuleList([first, second])
        self.cross_stream = cross_stream
        self.caels = [] if cross_stream == "none" else cael_layers(first.config.num_hidden_layers, cael_count)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors of a batch."""
        run = self._fed if self.cross_stream == "fed" else self._beside
        return dict(zip(("h_1", "h_2", "p_1", "p_2", "c_1", "c_2"), in_order(batch, run(batch.groups)), strict=False))

    def _beside(self, groups: Sequence[tuple[Tensor, Tensor]]) -> list[list[Tensor]]:
        """The cross streams come after the towers' own of all groups, so that these draw the same dropout masks without them."""
        crossing = bool(self.caels)
        outputs = [
            [tower(input_ids=ids, attention_mask=mask, output_hidden_states=crossing) for tower in self.towers]
            for ids, mask in groups
        ]
        vectors = [
            [out.last_hidden_state[:, 0] for out in pair] + [out.pooler_output for out in pair] for pair in outputs
        ]
        if crossing:
            for found, pair, (_, mask) in zip(vectors, outputs, groups, strict=True):
                states = [out.hidden_states for out in pair]
                found += cross_streams(self.towers, states, mask, self.caels, self.cross_stream)
        return vectors

    def _fed(self, groups: Sequence[tuple[Tensor, Tensor]]) -> list[list[Tensor]]:
        vectors = []
        for ids, mask in groups:
            states, crossed = fed_forward(self.towers, ids, mask, self.caels)
            pooled = [tower.pooler(s) for tower, s in zip(self.towers, states, strict=True)]
            vectors.append([s[:, 0] for s in states] + pooled + crossed)
        return vectors


def check_alike(first, second) -> None:
    """Refuse towers that cannot attend to each other or be summed."""
    names = {
        "model_type": "family",
        "hidden_size": "width",
        "num_hidden_layers": "depth",
        "num_attention_heads": "number of heads",
        "vocab_size": "vocabulary size",
    }
    for key, name in names.items():
        a, b = getattr(first.config, key), getattr(second.config, key)
        if a != b:
            raise UserError(f"the towers differ in {name}: {a} and {b}; a twin needs two of the same")
    for number, tower in enumerate((first, second), 1):
        if getattr(tower, "pooler", None) is None:
            raise UserError(
                f"tower {number} has no pooler layer; the tensor-modulus constraint reads its output (Eq. 13)"
            )

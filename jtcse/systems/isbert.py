"""IS-BERT: convolutions over the tokens, and each token must tell its own sentence from others (Zhang et al., 2020).

Sizes: n sentences, m of them in a group, l tokens, L the longest input of training, T real tokens of a batch, d width.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from jtcse.core.device import device
from jtcse.core.errors import UserError
from jtcse.core.files import new_folder
from jtcse.encoders.batches import Batch, in_order
from jtcse.encoders.encoder import DESCRIPTION, Encoder, TowerEncoder, describe
from jtcse.encoders.loading import check_weights, load_tower, save_tower
from jtcse.method.losses import lift
from jtcse.systems.settings import SystemSettings
from jtcse.systems.shop import Shop
from jtcse.training.objective import SentenceObjective, seeded

KERNELS = (1, 3, 5)
TOWER, CONVOLUTIONS = "tower", "convolutions.safetensors"


class Settings(SystemSettings):
    """Of IS-BERT: none of its own; temperature and head are of no use to it."""


class Convolutions(nn.Module):
    """1-D convolutions of several kernel sizes side by side, (m, l, d) -> (m, l, d).

    Padding is set to zero before, as if the sentence stood alone. The channels share the width evenly; where it is no multiple
    of three the first kernels get one more (ours; the authors' 3 * 256 are 768).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        shares = [width // len(KERNELS) + (place < width % len(KERNELS)) for place in range(len(KERNELS))]
        self.layers = nn.ModuleList(
            nn.Conv1d(width, share, kernel, padding=kernel // 2) for share, kernel in zip(shares, KERNELS, strict=True)
        )

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Local vectors of the tokens; those of padding are zero."""
        mask = mask.unsqueeze(-1).to(states.dtype)
        columns = (states * mask).transpose(1, 2)
        return torch.cat([layer(columns) for layer in self.layers], 1).transpose(1, 2) * mask


def fresh_convolutions(width: int, seed: int, place: torch.device) -> Convolutions:
    """Convolutions with weights of torch's own start, as the authors'."""
    with seeded(seed):
        return Convolutions(width).to(place)


def mean(local: Tensor, mask: Tensor) -> Tensor:
    """The sentence vector: (..., l, d) local vectors, zero at padding, and (..., l) mask -> (..., d)."""
    return local.sum(-2) / mask.sum(-1, keepdim=True).to(local.dtype)


class LocalTower(nn.Module):
    """Tower and convolutions; gives ``local``: (1, n, L, d) and ``mask``: (1, n, L)."""

    def __init__(self, model, convolutions: Convolutions, max_length: int) -> None:
        super().__init__()
        self.model, self.convolutions, self.max_length = model, convolutions, max_length

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Local vectors of a batch, as long in each process and so fit to be gathered."""
        local, mask = in_order(batch, [self._group(tokens, mask) for tokens, mask in batch.groups])
        return {"local": local, "mask": mask}

    def _group(self, tokens: Tensor, mask: Tensor) -> list[Tensor]:
        local = self.convolutions(self.model(input_ids=tokens, attention_mask=mask).last_hidden_state, mask)
        rest = self.max_length - tokens.shape[1]
        return [F.pad(local, (0, 0, 0, rest)), F.pad(mask, (0, rest))]


def mutual_information(local: Tensor, mask: Tensor) -> Tensor:
    r"""Jensen-Shannon estimate between tokens and sentences, with the sign of a loss (Eq. 2 to 4 of the paper).

    .. math:: \frac1T\sum_{t}\bigl[\mathrm{sp}(-h_t\cdot s_{i(t)}) - \log 2\bigr]
              + \frac{1}{T(n-1)}\sum_t\sum_{j\ne i(t)}\bigl[\mathrm{sp}(h_t\cdot s_j) - \log 2\bigr]

    Args:
        local: (n, l, d), zero at padding.
        mask: (n, l).
    """
    local, real = lift(local), mask.bool()
    sentence = torch.arange(len(local), device=local.device)
    scores = local[real] @ mean(local, mask).T  # (T, n)
    own = sentence.unsqueeze(1).expand_as(mask)[real].unsqueeze(1) == sentence
    # masks come behind the softplus: before it a masked score would count as log 2
    positive, negative = F.softplus(-scores) - math.log(2), F.softplus(scores) - math.log(2)
    return positive[own].mean() + negative[~own].mean()


class ISBERT(SentenceObjective):
    """Mutual information between each token and its sentence, against the batch's other sentences; no sentence comes twice.

    Args:
        model, tokenizer: a stock tower.
        convolutions: on the model's device.
        corpus: sentences.
    """

    copies = 1

    def __init__(self, model, tokenizer, convolutions: Convolutions, corpus: Sequence[str], settings: Settings) -> None:
        super().__init__(LocalTower(model, convolutions, settings.max_length), tokenizer, corpus, settings)

    def parts(self, outputs: dict[str, Tensor], draw: torch.Generator) -> dict[str, Tensor]:
        """``information``."""
        return {"information": mutual_information(outputs["local"][0], outputs["mask"][0])}


class ConvolvedEncoder(TowerEncoder):
    """A stock tower with convolutions on it; vectors are means of the local ones."""

    def __init__(self, model, tokenizer, convolutions: Convolutions, **reading) -> None:
        super().__init__(model, tokenizer, pooling="mean", **reading)
        self.convolutions = convolutions

    def vectors(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, d) vectors out of (n, l) ids and mask."""
        states = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state
        return mean(self.convolutions(states, mask), mask)

    def save(self, folder: Path | str) -> None:
        """Write the stock tower into a folder of its own, so that nothing takes it for the whole, and the convolutions."""
        check_weights(self.convolutions, "the convolutions to be saved")
        with new_folder(folder) as fresh:
            save_tower(self.model, self.tokenizer, fresh / TOWER)
            weights = {name: tensor.contiguous().cpu() for name, tensor in self.convolutions.state_dict().items()}
            save_file(weights, fresh / CONVOLUTIONS)
            describe(fresh, towers=[TOWER], weights=[1.0], **self.described(), system="isbert")


def make(shop: Shop) -> Encoder:
    """Train IS-BERT; the convolutions are kept."""
    model, tokenizer = shop.tower()
    place = next(model.parameters()).device
    convolutions = fresh_convolutions(model.config.hidden_size, shop.stream("convolutions"), place)
    objective = ISBERT(model, tokenizer, convolutions, shop.corpus, shop.settings)
    return shop.train(objective, ConvolvedEncoder(model, tokenizer, convolutions))


def open_saved(folder: Path, described: dict, precision: str) -> ConvolvedEncoder:
    """What ``ConvolvedEncoder.save`` wrote.

    Raises:
        UserError: as ``load_tower``; a description without its length, convolutions that are missing, broken or of another
            width.
    """
    length = described.get("max_length")
    if not isinstance(length, int):
        raise UserError(f"{folder / DESCRIPTION} names no max_length; save the model again")
    model, tokenizer = load_tower(folder / TOWER)
    convolutions = Convolutions(model.config.hidden_size).to(device()).eval()
    _fill(convolutions, folder / CONVOLUTIONS)
    return ConvolvedEncoder(model, tokenizer, convolutions, max_length=length, precision=precision)


def _fill(convolutions: Convolutions, file: Path) -> None:
    if not file.is_file():
        raise UserError(f"{file} is missing, and IS-BERT's vectors are made by it; copy it or train the system again")
    try:
        convolutions.load_state_dict(load_file(file))
    except SafetensorError as error:
        raise UserError(f"{file} is a broken file ({error}); copy it again") from error
    except RuntimeError as error:
        raise UserError(
            f"{file} does not hold convolutions of the tower's width, {convolutions.layers[0].in_channels}; "
            "copy tower and convolutions of one training"
        ) from error
    check_weights(convolutions, str(file))


def open_released(names: Sequence[str], backbone: str, precision: str) -> ConvolvedEncoder:
    """A folder that this system wrote; the authors released no weights.

    Raises:
        UserError: anything else, which would be read without its convolutions.
    """
    folder = Path(names[0])
    try:
        described = json.loads((folder / DESCRIPTION).read_text(encoding="utf8"))
    except (OSError, ValueError):
        described = {}
    if len(names) > 1 or not isinstance(described, dict) or described.get("system") != "isbert":
        raise UserError(
            f"{', '.join(names)}: expected one folder with a tower and IS-BERT's convolutions as jtcse saves them; "
            "give the model folder of jtcse train --system isbert"
        )
    return open_saved(folder, described, precision)

"""Every setting of the project: its type, its range, its unit.

A profile (``profiles/<name>.yaml``) lists only what differs from ``profiles/base.yaml``; command line and notebooks turn
single settings by dotted names (``stage2.steps=20``). Everything passes through the schema below before anything runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jtcse.core.device import forced
from jtcse.core.errors import UserError, check_choice, unknown

UNTRAINED = "checkpoints"  # the scale of profiles that score released weights
Pooling = Literal["cls", "mean", "avg", "pooler", "first_last", "first_last_1", "last_two"]
View = Literal["dropout", "repetition", "deletion", "round_trip"]
LossPart = Literal["infonce", "icnce", "ictm"]
CrossStream = Literal["none", "last", "carried", "fed"]
Rate = Annotated[float, Field(gt=0, le=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A group of settings; unknown names and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


S = TypeVar("S", bound=Section)


class RunSettings(Section):
    """What holds for a whole run."""

    seed: Annotated[int, Field(ge=0, description="every random stream of the run derives from it and a name")]
    precision: Literal["auto", "bf16", "fp32"] = Field(
        description="number format of training; auto: bf16 where the hardware says that it has it, decided once a workspace. "
        "Scores are fp32"
    )
    threads: Count | None = Field(
        description="CPU threads of a stage; null: all cores. Another number, other last digits"
    )


class DataSettings(Section):
    """Unlabelled text and graded pairs."""

    corpus: str = Field(
        description="'generated', 'train-sentences', hub 'owner/name:file', a local file, or several with ' + '"
    )
    corpus_limit: Count | None = Field(description="sentences at most; null: all")
    pair_sets: Literal["generated", "senteval", "mteb"]
    pair_limit: Count | None = Field(description="pairs of each graded set at most; null: all")
    view_rate: Rate | None = Field(
        description="share of the words that 'repetition' or 'deletion' touches; null: each view's own"
    )


class EncoderSettings(Section):
    """The encoder that training starts from."""

    name: str = Field(description="hub name or folder; 'generated': a small BERT, pre-trained inside the run")
    pooling: Pooling = Field(description="the paper pools [CLS] before the pooler (Sec. III.C)")
    layers: Count = Field(description="of the generated encoder")
    width: Count = Field(description="of the generated encoder")
    heads: Count = Field(description="of the generated encoder")


class Training(Section):
    """What every training stage has."""

    batch_size: Annotated[int, Field(ge=2, description="sentences a step, over all processes together")]
    steps: Count | None = Field(description="null: one pass over the corpus")
    max_length: Annotated[int, Field(ge=4, le=512, description="tokens, [CLS] and [SEP] included")]
    dropout: Probability | None = Field(description="hidden and attention; null: the encoder's own")
    schedule: Literal["constant", "linear"] = Field(description="of the learning rate; linear falls to 0")
    warmup: Annotated[int, Field(ge=0, description="steps")]
    weight_decay: Annotated[float, Field(ge=0)]
    evaluate_every: Count = Field(description="steps between looks at the development set and checkpoints")
    length_groups: Count = Field(description="parts of a batch, by length, that are padded separately; changes no loss")


class PretrainSettings(Training):
    """Masked language modelling of the generated encoder."""

    learning_rate: LearningRate
    mask_rate: Rate


class TranslationSettings(Section):
    """Round-trip translation of the corpus for stage 1 (paper, Sec. IV.A)."""

    languages: tuple[str, str] = Field(description="one a tower")
    limit: Count | None = Field(description="sentences at most; null: the whole corpus")
    beams: Count
    batch_size: Count


class TowerSettings(Section):
    """What differs between the two sub-encoders in stage 1."""

    view: View = Field(description="how the second view of a sentence is made; dropout acts on both in any case")
    learning_rate: LearningRate


class Stage1Settings(Training):
    """Training of each sub-encoder by InfoNCE (paper, Sec. III.C)."""

    temperature: Rate
    infonce: Literal["two_view", "two_n"]
    tower_1: TowerSettings
    tower_2: TowerSettings


class Stage2Settings(Training):
    """Joint training of the twin (Eqs. 11-15)."""

    learning_rate: LearningRate
    temperature: Rate
    parts: list[LossPart] = Field(min_length=1, description="parts of Eq. 15 that are switched on")
    infonce: Literal["two_view", "two_n"] = Field(description="Eq. 11 as printed, or over 2N views as released")
    icnce: Literal["same_view", "other_view"] = Field(
        description="partner in the other tower: unmarked in print; other view as released"
    )
    ictm: Literal["printed", "released"] = Field(
        description="Eq. 13 as printed, or with the released factor 1/2 and clamp"
    )
    cross_stream: CrossStream = Field(description="reading of Eqs. 8-10, see method/cross_attention.py")
    cael_count: Count = Field(description="cross-attention layers (Eq. 7); must divide the depth")


class DistillationSettings(Training):
    """One tower learns the summed vector (paper, Sec. IV.C)."""

    learning_rate: LearningRate
    start: Literal["tower_1", "tower_2", "encoder"] = Field(description="weights the student starts from")


class EvaluationSettings(Section):
    """What is measured, and how surely."""

    tasks: list[str] | None = Field(description="names of graded sets; null: all of the profile's source")
    resamples: Annotated[int, Field(ge=100, description="of the bootstrap over pairs")]


class AblationSettings(Section):
    """The grids of Tables VIII to XI and of Figs. 6 and 8 (``ablations/``)."""

    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, description="each cell is trained once a seed")
    steps: Count | None = Field(description="of a cell's stage 2; null: as many as stage 2 has")
    own_towers: bool = Field(description="stage 1 anew for each seed; false: all seeds start from the run's two towers")
    pair_limit: Count | None = Field(
        description="pairs of each graded set that a cell is scored on, evenly spaced; null: all"
    )

    @model_validator(mode="after")
    def _seeds_differ(self) -> AblationSettings:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(
                f"ablations.seeds {self.seeds} names a seed twice; a second run of a seed tells nothing new"
            )
        return self


class TuningSettings(Section):
    """What ``jtcse tune`` tries, on development pairs alone and at a seed that no other run has."""

    seed: Annotated[int, Field(ge=0)]
    stage1_rates: list[LearningRate] = Field(min_length=1, description="learning rates of stage 1")
    stage2_rates: list[LearningRate] = Field(min_length=1, description="learning rates of stage 2")
    distillation_rates: list[LearningRate] = Field(min_length=1, description="learning rates of the distillation")
    longer: Annotated[float, Field(ge=1, description="steps of a try, as a multiple of the stage's own")]


class RaceSettings(Training):
    """The fair race: every system from the same encoder, on the same text, with this budget."""

    seeds: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1,
        description="each system is trained once a seed; 0 is the seed that learning rates are chosen with",
    )
    rates: list[LearningRate] = Field(
        min_length=1, description="learning rates tried for each system; the best on development pairs is taken"
    )
    tuning_steps: Count | None = Field(description="of each try; null: as many as the training has")


class ZeroShotSettings(Section):
    """Tasks of mteb: who is scored on what."""

    systems: list[str] = Field(
        description="'SYSTEM' or 'SYSTEM/roberta'; 'released': all with released weights. Smaller scales score what they trained"
    )
    tasks: list[str] = Field(description="words as --tasks takes them: table1-right, table2 to table6, names of mteb")
    limit: Count | None = Field(
        description="rows of each split at most, for trying things out; its scores are no scores"
    )
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32",
        description="number format of scoring; scores of bf16 are kept apart and answer for no printed value",
    )
    cache_gib: Annotated[float, Field(gt=0, description="GiB of vectors kept on disk, oldest out first")]
    tries: Count = Field(description="of each download that fails in a way that may pass")


class Settings(Section):
    """All settings of a profile."""

    title: str
    scale: Literal["paper", "checkpoints", "smaller"] = Field(
        description="what its numbers may be held against: printed values, or only the direction of claims"
    )
    promise: str = Field(description="one sentence for every page: what numbers of this profile can and cannot say")
    minutes: Annotated[float, Field(gt=0, description="of the whole run on the reference machine")] | None
    committed: list[str] = Field(
        default=[], description="notebooks that a run shows from results/<profile> until it is asked for the whole"
    )  # older records have none
    run: RunSettings
    data: DataSettings
    encoder: EncoderSettings
    pretrain: PretrainSettings
    translation: TranslationSettings
    stage1: Stage1Settings
    stage2: Stage2Settings
    distillation: DistillationSettings
    evaluation: EvaluationSettings
    ablations: AblationSettings
    tuning: TuningSettings
    race: RaceSettings
    zero_shot: ZeroShotSettings

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        if self.encoder.name == "generated" and self.encoder.layers % self.stage2.cael_count:
            raise ValueError(
                f"stage2.cael_count is {self.stage2.cael_count}, which does not divide encoder.layers = {self.encoder.layers}"
            )
        if self.encoder.width % self.encoder.heads:
            raise ValueError(
                f"encoder.width {self.encoder.width} is not a multiple of encoder.heads {self.encoder.heads}"
            )
        if self.stage1.batch_size < 2 * self.stage1.length_groups:
            raise ValueError(f"stage1.length_groups {self.stage1.length_groups} leaves groups of under two sentences")
        return self


SECTIONS = tuple(
    name
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
)


def profiles() -> list[str]:
    """Names of the profiles that come with the package."""
    found = files("jtcse").joinpath("profiles").iterdir()
    return sorted(Path(p.name).stem for p in found if p.name.endswith(".yaml") and p.name != "base.yaml")


def load_settings(profile: str, overrides: Mapping[str, Any] | None = None, *, as_filed: bool = False) -> Settings:
    """The settings of a profile with single values turned; of ``run.precision`` the environment is asked in between.

    Args:
        profile: a name out of ``profiles()``.
        overrides: dotted names to values, ``{"stage2.steps": 20}``.
        as_filed: without what the environment says.
    Raises:
        UserError: unknown profile or setting (with the nearest valid one), wrong type or range.
    """
    check_choice("profile", profile, profiles())
    values = _read("base")
    for name, value in _read(profile).items():
        _turn(values, name, value)
    if not as_filed and forced():
        values["run"]["precision"] = forced()
    for name, value in (overrides or {}).items():
        _turn(values, name, value)
    return checked(Settings, values)


def checked(schema: type[S], values: Mapping[str, Any]) -> S:
    """Values as a group of settings.

    Raises:
        UserError: unknown setting, wrong type or range.
    """
    try:
        return schema.model_validate_json(json.dumps(values, default=str))  # YAML has dates, JSON has not
    except ValidationError as error:
        raise UserError(_sentence(error, values)) from error


def parse_assignments(words: list[str]) -> dict[str, Any]:
    """``["stage2.steps=20"]`` as typed overrides; the right-hand sides are YAML.

    Raises:
        UserError: a word that is not ``name=value``.
    """
    overrides = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign:
            raise UserError(f"found {word!r} where a setting such as stage2.steps=20 was expected")
        try:
            overrides[name.strip()] = _number(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise UserError(
                f"the value in {word!r} is not whole YAML; lists are written [a, b], words with signs in quotes"
            ) from error
    return overrides


def _number(value: Any) -> Any:
    """YAML 1.1 reads 3e-5 as a word; here it is a number, in a list as well."""
    if isinstance(value, list):
        return [_number(one) for one in value]
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load(files("jtcse").joinpath(f"profiles/{name}.yaml").read_text(encoding="utf8"))


def _turn(values: dict[str, Any], name: str, value: Any) -> None:
    """Set one dotted name; a mapping is merged into its section. Unknown names are refused."""
    *path, last = name.split(".")
    place = values
    for part in path:
        if not isinstance(place.get(part), dict):
            raise unknown("setting", name, _leaves(values))
        place = place[part]
    if last not in place:
        raise unknown("setting", name, _leaves(values))
    if isinstance(place[last], dict):
        if not isinstance(value, Mapping):
            raise UserError(
                f"{name} is a group of settings; found {value!r}, expected for instance {name}.{next(iter(place[last]))}=..."
            )
        for key, inner in value.items():
            _turn(values, f"{name}.{key}", inner)
    else:
        place[last] = list(value) if isinstance(value, tuple) else value


def _leaves(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    names = []
    for key, value in values.items():
        names += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return names


def _sentence(error: ValidationError, values: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return str(unknown("setting", place, _leaves(values)))
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        return str(unknown(f"value of {place}", first["input"], re.findall(r"'(.*?)'", first["ctx"]["expected"])))
    found = "" if first["type"] == "value_error" or not place else f"; found {first['input']!r}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}{found}{more}"

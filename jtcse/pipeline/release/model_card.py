"""The model card of a released encoder: every number of it is read from run records, none is typed."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jtcse.core.files import ROOT
from jtcse.core.run import commit_of
from jtcse.data.pairs import GENERATED, GRADED
from jtcse.pages.furniture.elements import verdict
from jtcse.pipeline.release.licences import base, licence, licence_words, texts

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

    from jtcse.core.record import Metric
    from jtcse.pipeline.release.provenance import Story

BESIDE = ("start", "jtcse")
"""Systems whose scores stand beside those of the released one."""
POOLED = {"cls": "the last state of [CLS]", "mean": "the mean of all tokens' last states"}
POOLED["avg"] = POOLED["mean"]
STAGES = {"stage1": "stage 1", "stage2": "stage 2", "distillation": "distillation"}


def card(story: Story, name: str) -> str:
    """The model card as Markdown, with the front matter that hubs read; ``name`` is that of the released folder."""
    import jinja2

    template = (files(__package__) / "model_card.md.jinja").read_text(encoding="utf8")
    # Strict, which ``ModelCard.from_template`` is not: a value that is missing stops here and is no gap in the card.
    rules = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    return rules.from_string(template).render(card_data=_front(story), story=story, name=name, **_told(story))


def _told(story: Story) -> dict[str, Any]:
    """What the template fills in, beside the story itself."""
    import yaml

    from jtcse.experiments.names import SYSTEMS
    from jtcse.paper.ledger.all_records import load_scale

    settings, start = story.settings, story.settings["encoder"]["name"]
    stages = {words: settings[name] for name, words in STAGES.items() if name in settings}
    return {
        "title": _title(story),
        "maker": story.maker,
        "small": load_scale(story.maker.profile) == "smaller",
        "systems": SYSTEMS,
        "beside": BESIDE,
        "points": _points,
        "dev": story.maker.metric(f"{story.system}/dev"),
        "graded": GRADED[settings["data"]["pair_sets"]],
        "differences": _differences(story),
        "sentences": story.records["data"].metric("corpus/sentences").n,
        "texts": texts(settings),
        "base": base(settings),
        "start": base(settings).words if start == GENERATED else f"`{start}`",
        "licence_words": licence_words(settings),
        "stages": [_length(*stage) for stage in stages.items()],
        "longest": max(stage["max_length"] for stage in stages.values()),
        "pooled": POOLED[story.shape["pooling"]],
        "facts": _facts(story),
        "settings": yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).strip(),
    }


def _title(story: Story) -> str:
    return f"jtcse-{story.maker.profile}-{story.system.replace('_', '-')}"


def _front(story: Story) -> str:
    from huggingface_hub import ModelCardData

    start = story.settings["encoder"]["name"]
    on_the_hub = re.fullmatch(r"[\w.-]+/[\w.-]+", start) and not Path(start).exists()
    results = [_result(story, task, one) for task, one in story.metrics(story.system).items() if task != "average"]
    data = ModelCardData(
        language="en",
        **licence(story.settings),
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=["sentence-transformers", "sentence-similarity", "feature-extraction", "jtcse"],
        base_model=start if on_the_hub else None,
        model_name=_title(story) if results else None,
        eval_results=results or None,
    )
    return data.to_yaml()


def _result(story: Story, task: str, metric: Metric) -> EvalResult:
    """One score as hubs show it: a correlation from -1 to 1."""
    from huggingface_hub import EvalResult

    from jtcse.data.pairs import MTEB
    from jtcse.data.senteval import REPOSITORY

    source = story.settings["data"]["pair_sets"]
    return EvalResult(
        task_type="semantic-similarity",
        task_name="Semantic Similarity",
        dataset_type={"senteval": REPOSITORY, "mteb": f"mteb/{MTEB.get(task)}"}.get(source, source),
        dataset_name=f"{task} ({source})",
        dataset_config=task,
        dataset_split="test",
        metric_type="spearman_cosine",
        metric_name="Spearman correlation of cosines",
        metric_value=round(metric.value / 100, 4),
    )


def _points(metric: Metric) -> str:
    return f"{metric.value:.1f} ({metric.low:.1f} to {metric.high:.1f})"


def _differences(story: Story) -> list[tuple[str, str]]:
    """The paired differences of averages that the record has for this system: the other system, and words."""
    begin, metrics = f"difference/{story.system}-", story.scores.metrics if story.scores else []
    found = {one.name.removeprefix(begin): one for one in metrics if one.name.startswith(begin)}
    return [(name, verdict(one.value, one.low, one.high)) for name, one in found.items()]


def _length(words: str, stage: dict[str, Any]) -> str:
    steps = "one pass over the text" if stage["steps"] is None else f"{stage['steps']:,} steps"
    return f"{steps} of {stage['batch_size']} sentences in {words}"


def _facts(story: Story) -> dict[str, Any]:
    """Where the encoder comes from, by name."""
    made = story.maker.provenance
    return {
        "made": made.started,
        "commit that it was made at": _commit(made.commit, made.dirty),
        "commit of this card": _commit(*commit_of(ROOT)),
        "device": f"{made.device} ({made.machine}, threads: {made.threads})",
        "training seed": story.settings["run"]["seed"],
        "versions": ", ".join(f"{package} {version}" for package, version in made.versions.items()),
        **{f"SHA-256 of {file}": f"`{digest}`" for file, digest in story.hashes.items()},
    }


def _commit(commit: str | None, dirty: bool | None) -> str:
    changed = ", with changes that were not committed" if dirty else ""
    return f"`{commit}`{changed}" if commit else "not known"

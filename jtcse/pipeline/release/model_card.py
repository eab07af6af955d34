"""The model card of a released encoder: every number of it is read from run records, none is typed."""

from __future__ import annotations

import re
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
    licences = f"## Licence\n\n{licence_words(story.settings)}"
    parts = [_what(story), _use(name), _scores(story), _text(story), licences, _limits(story), _origin(story, name)]
    return f"---\n{_front(story)}\n---\n\n" + "\n\n".join(parts) + "\n"


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


# -- the sections ----------------------------------------------------------------------------------------------


def _what(story: Story) -> str:
    from jtcse.experiments.names import SYSTEMS
    from jtcse.paper.ledger.all_records import load_scale

    made, shape = story.maker, story.shape
    size = f"{shape['num_hidden_layers']} layers, vectors of {shape['hidden_size']} numbers"
    small = " at small scale" if load_scale(made.profile) == "smaller" else ""
    return f"""# {_title(story)}

An encoder of English sentences ({size}): {SYSTEMS[story.system]}.
The profile `{made.profile}` of *JTCSE, reproduced* trained it, a project that follows the paper *JTCSE: Joint
Tensor-Modulus Constraints and Cross-Attention for Unsupervised Contrastive Learning of Sentence Embeddings* (Zong et
al., 2025){small}. It is not the paper's model, and not by its authors.

> {" ".join(made.settings["promise"].split())}"""


def _use(name: str) -> str:
    return f"""## Use it

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{name}")  # this folder, or its name on a hub
sentences = ["The museum is closed on Mondays.", "He repaired the bicycle in an hour.", "The soup needs more salt."]
print(model.similarity(model.encode("He fixed his bike quickly."), model.encode(sentences)))
```

Vectors are compared by their cosine; their lengths differ."""


def _scores(story: Story) -> str:
    dev = story.maker.metric(f"{story.system}/dev")
    chosen = f"""Which step's weights were kept was decided by {dev.n:,} development pairs and their scores. On these it has
{_points(dev)} points, which is a little too good for that reason."""
    if story.scores is None:
        return f"""## Scores

{chosen}

These weights were scored on no other pairs. `jtcse reproduce --profile {story.maker.profile} --only seven_tasks` does
that, and `jtcse release` then writes the table."""
    return f"""## Scores

Spearman's correlation between cosines and gold scores in points (hundredths), with 95 % intervals over pairs, on
{GRADED[story.settings["data"]["pair_sets"]]}. The average counts each task once. One training seed.

{_table(story)}

Averages compared on the same pairs. This model, beside

{_differences(story)}

{chosen}"""


def _table(story: Story) -> str:
    from jtcse.experiments.names import SYSTEMS

    columns = [story.metrics(system) for system in (story.system, *BESIDE)]
    heads = ["task", "pairs", f"**{SYSTEMS[story.system]}**", *(SYSTEMS[system] for system in BESIDE)]
    rows = [[task, f"{one.n:,}", *(_points(scores[task]) for scores in columns)] for task, one in columns[0].items()]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *rows))


def _points(metric: Metric) -> str:
    return f"{metric.value:.1f} ({metric.low:.1f} to {metric.high:.1f})"


def _differences(story: Story) -> str:
    """The paired differences of averages that the record has for this system, in words."""
    from jtcse.experiments.names import SYSTEMS

    begin = f"difference/{story.system}-"
    found = [one for one in story.scores.metrics if one.name.startswith(begin)]
    return "\n".join(
        f"- {SYSTEMS[one.name.removeprefix(begin)]}: {verdict(one.value, one.low, one.high)}" for one in found
    )


def _text(story: Story) -> str:
    count = story.records["data"].metric("corpus/sentences").n
    start, sources = story.settings["encoder"]["name"], "; ".join(text.words for text in texts(story.settings))
    return f"""## Training text

{count:,} distinct sentences: {sources}.
Training used no label and no score of a pair, apart from the development pairs named above.
It started from {base(story.settings).words if start == GENERATED else f"`{start}`"}."""


def _limits(story: Story) -> str:
    stages = {words: story.settings[name] for name, words in STAGES.items() if name in story.settings}
    longest, pooled = max(stage["max_length"] for stage in stages.values()), POOLED[story.shape["pooling"]]
    limits = [
        f"Trained for {', '.join(_length(*stage) for stage in stages.items())}, with one training seed.",
        *filter(None, (one.limit for one in (base(story.settings), *texts(story.settings)))),
        "English only.",
        f"The vector is {pooled}; with another pooling it is another model.",
        f"It reads at most {story.shape['max_length']} tokens and was trained on at most {longest}; longer texts were not tried.",
        "It has the biases of its text and of the encoder that it started from; nobody has looked for them.",
    ]
    return "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits)


def _length(words: str, stage: dict[str, Any]) -> str:
    steps = "one pass over the text" if stage["steps"] is None else f"{stage['steps']:,} steps"
    return f"{steps} of {stage['batch_size']} sentences in {words}"


def _origin(story: Story, name: str) -> str:
    import yaml

    made, card_at = story.maker.provenance, commit_of(ROOT)
    facts = {
        "made": made.started,
        "commit that it was made at": _commit(made.commit, made.dirty),
        "commit of this card": _commit(*card_at),
        "device": f"{made.device} ({made.machine}, threads: {made.threads})",
        "training seed": story.settings["run"]["seed"],
        "versions": ", ".join(f"{package} {version}" for package, version in made.versions.items()),
        **{f"SHA-256 of {file}": f"`{digest}`" for file, digest in story.hashes.items()},
    }
    rows = "\n".join(f"| {what} | {value} |" for what, value in facts.items())
    again = "\n".join(story.commands(name))
    settings = yaml.safe_dump(story.settings, sort_keys=False, allow_unicode=True).strip()
    return f"""## Where it comes from

| | |
| --- | --- |
{rows}

In a checkout of the card's commit this makes it again; another processor or number of threads changes the last digits:

```sh
{again}
```

The settings that it was trained with:

```yaml
{settings}
```"""


def _commit(commit: str | None, dirty: bool | None) -> str:
    changed = ", with changes that were not committed" if dirty else ""
    return f"`{commit}`{changed}" if commit else "not known"

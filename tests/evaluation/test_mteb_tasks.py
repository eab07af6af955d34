"""Zero-shot tasks: every row of the paper opens in mteb, words mean what they say, and what is wrong is refused in a sentence."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jtcse.core.errors import UserError
from jtcse.evaluation.mteb.tasks import LISTS, OFFERED, Wanted, opened, rows, wanted
from jtcse.experiments.zero_shot.answers import columns
from jtcse.paper.printed import printed_text, references, tasks, values
from jtcse.systems.cards import cards

BLOCKS = {"table1-right": 3, "table2": 45, "table3": 14, "table4": 15, "table5": 18, "table6": 0}
METRICS = {
    "Classification": {"accuracy", "f1"},
    "Reranking": {"map_at_1000", "mrr_at_10", "max_over_subqueries_map_at_1000"},
    "BitextMining": {"f1"},
    "STS": {"cosine_spearman"},
}
"""Keys of mteb's scores by type of task; the sub-query one is MindSmall's own."""


@pytest.fixture(scope="module")
def mteb():
    return pytest.importorskip("mteb")


@pytest.mark.parametrize("place", BLOCKS)
def test_every_list_answers_the_rows_that_the_paper_counts(place: str) -> None:
    found = rows(place)
    assert len(found) == BLOCKS[place] == len({row.row for row in found})
    assert {row.place for row in found} <= {place.removesuffix("-right")}


@pytest.mark.parametrize("place", [place for place in BLOCKS if place != "table6"])
def test_every_row_of_the_paper_opens_in_mteb_with_its_subsets_splits_and_main_score(mteb, place: str) -> None:
    for row in rows(place):
        task = opened(row.wanted)
        assert task.metadata.name == row.wanted.name
        assert set(task.eval_splits) == set(row.wanted.splits) <= set(task.metadata.eval_splits)
        assert set(task.hf_subsets) == set(row.wanted.subsets or task.metadata.hf_subsets)
        assert row.subset is None or task.hf_subsets == [row.subset]
        assert row.metric == task.metadata.main_score and row.metric in METRICS[task.metadata.type]


def test_tasks_of_the_predecessor_stand_in_for_table_6_and_open(mteb) -> None:
    found = wanted("table6")
    assert len(found) == 30 and {opened(one).metadata.type for one in found} == {"Retrieval"}


def test_the_file_agrees_with_mteb_on_types_main_scores_and_successors(mteb) -> None:
    for entry in tasks().query("mteb != ''").itertuples():
        meta = mteb.get_task(entry.mteb).metadata
        assert [meta.type, meta.main_score] == [entry.type, entry.main_score], entry.mteb
        assert entry.place == "table5" or (meta.superseded_by or "") == entry.superseded_by


def test_a_row_takes_the_split_test_where_mteb_has_one(mteb) -> None:
    for row in (row for place in BLOCKS for row in rows(place)):
        own = mteb.get_task(row.wanted.name).metadata.eval_splits
        assert row.wanted.splits == ("test",) if "test" in own else set(row.wanted.splits) == set(own)


def test_public_results_have_the_splits_of_the_rows() -> None:
    public = references().groupby("task")["split"].agg(set)
    found = [row.wanted for place in BLOCKS for row in rows(place) if row.wanted.name in public.index]
    assert len(found) > 60 and all(set(one.splits) <= public[one.name] for one in found)


def test_every_row_and_column_names_a_printed_value() -> None:
    known = set(values().index)
    named = [columns(card.name, backbone) for card in cards() for backbone in ("bert", "roberta")]
    for row in (row for place in BLOCKS for row in rows(place)):
        for column in {one[row.place] for one in named if row.place in one}:
            parts = [column, row.row] if row.place == "table1" else [row.row, column]
            assert "/".join([row.place, *parts]) in known


def test_columns_of_the_tables_are_each_answered_by_one_system() -> None:
    found = [columns(card.name, "bert") for card in cards()]
    for place in LISTS[1:]:
        named = sorted(one[place] for one in found if place in one)
        assert named == sorted(values().query("place == @place")["column"].unique())


def test_columns_are_the_names_of_the_cards() -> None:
    assert columns("jtcse_uc_d", "bert") == {"table1": "BERT-base/JTCSE_UCD"} | dict.fromkeys(LISTS[1:], "JTCSE_UCD")
    assert columns("jtcse", "roberta") == {"table1": "RoBERTa-base/JTCSE"}
    assert columns("rankcse_listmle", "bert")["table2"] == "RankCSE" and columns("rankcse_listnet", "bert") == {}
    assert columns("flow", "bert") == {} and columns("arccse", "roberta") == {}
    assert printed_text(f"table1/{columns('arccse', 'bert')['table1']}/STS12") == "72.08"
    with pytest.raises(UserError, match="did you mean 'jtcse'"):
        columns("jtcsee", "bert")


def test_words_name_lists_tasks_and_subsets() -> None:
    assert wanted(" STS17:en-en , CodeEditSearchRetrieval:c+++c ,BUCC") == [
        Wanted("STS17", ("en-en",)), Wanted("CodeEditSearchRetrieval", ("c", "c++")), Wanted("BUCC"),
    ]  # fmt: skip
    assert wanted("table1-right")[1] == Wanted("STS22.v2", ("en",), ("test",))


def test_a_task_named_twice_is_wanted_once_with_both_subsets() -> None:
    assert wanted("STS17:es-es,BUCC,STS17:en-en") == [Wanted("STS17", ("en-en", "es-es")), Wanted("BUCC")]
    (one,) = wanted("table5,STS22.v2:en")
    assert len(one.subsets) == 18 and one.splits == ()
    assert {one.name for one in wanted("table1-right,table5")} == {"STS17", "STS22.v2", "STSBenchmarkMultilingualSTS"}


words = st.sampled_from(
    ["table1-right", "table3", "table5", "STS17", "STS17:en-en", "STS17:es-es+en-en", "STS22.v2:en", "STS22.v2"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(words, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_and_repetition_of_words_change_no_task(said: list[str], random) -> None:
    shuffled = random.sample(said, len(said)) + random.choices(said, k=2)
    assert set(wanted(",".join(said))) == set(wanted(",".join(shuffled)))


@settings(max_examples=40, deadline=None)
@given(st.lists(words, min_size=1, max_size=5), st.lists(words, min_size=1, max_size=5))
def test_more_words_never_want_less_and_a_whole_task_stays_whole(some: list[str], more: list[str]) -> None:
    after = {one.name: one for one in wanted(",".join(some + more))}
    for one in wanted(",".join(some)):
        now = after[one.name]
        assert now.subsets == () or (one.subsets and set(one.subsets) <= set(now.subsets))
        assert now.splits == () or (one.splits and set(one.splits) <= set(now.splits))
    (whole,) = (one for one in wanted(",".join([*some, "STS17"])) if one.name == "STS17")
    assert whole == Wanted("STS17")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("", "'' names no task; expected NAME or NAME:SUBSET"),
        ("STS17,", "'' names no task"),
        ("STS17:", "'STS17:' names no task"),
        (":en", "':en' names no task"),
        ("STS17:+en-en", "'STS17:\\+en-en' names no task"),
        ("table7", "unknown list of tasks 'table7'; did you mean .*valid: table1-right, table2"),
        ("table1", "unknown list of tasks 'table1'; .*valid: table1-right"),
        ("table5:en", "'table5:en' asks for subsets of a list"),
    ],
)
def test_malformed_words_are_refused_in_one_sentence(said: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        wanted(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (Wanted("sts-17"), r"no task 'sts-17'; the nearest of 1,\d{3}: STS17, .*; lists of tasks: table1-right, table2"),
        (Wanted("PersianTextTone"), "has renamed its task 'PersianTextTone'; write 'SynPerTextToneClassification'"),
        (Wanted("CQADupstackRetrieval"), "is a collection of others; write .*CQADupstackEnglishRetrieval,"),
        (Wanted("CIFAR10"), "is of image; choose one of text"),
        (Wanted("STS17", ("en-en", "EN-FR")), "'STS17' has no subset 'EN-FR'; the nearest of 11: fr-en, "),
        (Wanted("BUCC", ("en-de",)), "'BUCC' has no subset 'en-de'; valid: de-en, fr-en, ru-en, zh-en"),
        (Wanted("FloresBitextMining", ("eng_Latn-deu_Lat",)), "the nearest of 41,412: eng_Latn-deu_Latn"),
        (Wanted("STS12", (), ("dev",)), "'STS12' has no split 'dev'; valid: test"),
    ],
)  # fmt: skip
def test_what_mteb_lacks_is_refused_with_what_it_has_nearest(mteb, one: Wanted, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        opened(one)
    offered = re.search(r"nearest of [\d,]+: ([^;]*)", str(caught.value))
    assert offered is None or offered[1].count(", ") < OFFERED


def test_a_superseded_task_stays_itself(mteb) -> None:
    assert mteb.get_task("BUCC").metadata.superseded_by == "BUCC.v2"
    assert opened(Wanted("BUCC", ("de-en",))).metadata.name == "BUCC"

"""The fair race: every system that can be trained, from one encoder, on one text, with one budget, once a seed.

``members.py`` says who takes part, ``cells.py`` what there is to do and what is done, ``standing.py`` ranks what was measured,
``record.py`` writes it down; ``pipeline/race.py`` has the cells done. The trainings are those of ``trained_systems.py``.
"""

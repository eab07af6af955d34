"""Tasks of ``mteb``, unchanged, for any encoder: which ones the paper means, their data, scores in mteb's form, run records.

``tasks.py`` says what is wanted and which row of the paper it answers, ``loading.py`` gets the data or says why not,
``adapter.py`` is the encoder as mteb wants it, ``kept_encoder.py`` computes each text once (``cache.py``), ``store.py`` keeps
results under the hash of the weights (``identity.py``), ``running.py`` does the work, ``planning.py`` says before what it would
take, ``answers.py`` turns results into numbers of a run record (``record.py``), ``profile.py`` does all that a profile names.
"""

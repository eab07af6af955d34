"""Tasks of ``mteb``, unchanged, for any encoder: which ones the paper means, their data, scores in mteb's form, run records.

``tasks.py`` says what is wanted and which row of the paper it answers, ``loading.py`` gets the data or says why not,
``adapter.py`` is what mteb is given: the encoder in its protocol, and its own cache of results. ``cached_encoder.py`` computes
each text once (``cache.py``), ``store.py`` finds results under the hash of the weights (``fingerprint.py``), ``running.py`` does
the work, ``planning.py`` says before what it would take.
"""

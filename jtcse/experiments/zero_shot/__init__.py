"""Who is scored on which tasks of mteb, and what that answers in the ledger."""

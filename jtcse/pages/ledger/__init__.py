"""How the ledger is shown."""

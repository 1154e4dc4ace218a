"""Why a network does not learn: evidence, suspicions, cures that were tried."""

"""One module a peer. Each has `prepare(workload, data) -> Task`; the frameworks are imported there and nowhere else."""

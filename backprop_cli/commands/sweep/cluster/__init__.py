"""Trials as tasks of a Dask cluster: `bp sweep … --on dask://HOST:8786`.

A trial passes through like this. `executor.DaskExecutor`, in the process of `bp sweep`, submits a task for every free
thread of the workers. On a worker the task is `host.host`: it asks how it is to begin, hands the trial to a process of
its own, which trains it as a local sweep would, and passes on what that says, through events of Dask. Answers and the
order to stop come by calls to the worker.

A worker sees the sweep's folder if it can read the nonce that lies there, and if the sweep can read what it then
writes. It trains there, and a trial that another worker had goes on from its last checkpoint. If it does not see the
folder, it gets the run packed and sends it back packed, from time to time and at the end; the sweep unpacks it as it
would anybody's file, and checks that its config is the one that was sent.

If a worker is lost Dask gives its tasks to others. What an earlier attempt at a task still says is ignored.
"""

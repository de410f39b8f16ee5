"""Parts on a Dask cluster, given by the address of its scheduler. Needs the extra `[distributed]`.

The workers need this project's release on their path (`PYTHONPATH=…/backend_django`) and the same libraries: what they
would compute differently is refused before anything is published (`retail_ml.engine`). They need no database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from retail_ml.engine import Answer, Engine, EngineFault, Work, answer

if TYPE_CHECKING:
    from distributed import Client

AHEAD = 2
"""Parts in hand per worker thread: one that is computed, one that is sent meanwhile."""


def _handed_on(fn: Work) -> Work:
    return fn


class DaskEngine(Engine):
    """The engine `ENGINE = "ml_predictions.engines.dask.DaskEngine"`, options `{"address": "tcp://…:8786"}`.

    `parts`: blocks that work is cut into at least; default: two per worker thread. `wait_seconds`: how long a first
    worker may be waited for. A worker that is lost costs the parts that it had; Dask gives them to another, and gives
    up a part at which four workers have died.
    """

    def __init__(
        self, address: str, *, parts: int | None = None, wait_seconds: float = 60.0, fine: bool = False
    ) -> None:
        self.address = address
        self.fine = fine
        self.wait_seconds = wait_seconds
        self._asked = parts
        self._client: Client | None = None

    @property
    def parts(self) -> int:  # type: ignore[override]
        """Known once the cluster is."""
        return self._asked or AHEAD * self._threads()

    def start(self) -> None:
        """Connect. Raises EngineFault when nobody answers, or there is no worker."""
        self._connected()

    def close(self) -> None:
        """Leave the cluster as it was."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def compute(self, fn: Work, parts: Iterable[Any]) -> Iterator[Answer]:
        """See the base class. The function is sent once and handed on among the workers, a part when one is free.

        The function is a task like the parts: the scheduler has it again when all workers that held it are lost.
        """
        from distributed import as_completed

        client = self._connected()
        shared = client.submit(_handed_on, fn, pure=False)
        waiting = enumerate(parts)

        def send(count: int) -> list[Any]:
            # pure: no two parts are taken to be the same; one priority: in their order
            return [client.submit(answer, shared, n, part, pure=False) for n, part in islice(waiting, count)]

        running = as_completed(send(AHEAD * self._threads()), loop=client.loop)
        try:
            for done in running:
                found: Answer = self._result(done)
                running.update(send(1))
                yield found
        finally:
            client.cancel([one for one in running.futures if not one.done()])

    def _result(self, done: Any) -> Answer:
        """What a part came to; an error of the work itself is raised as it was."""
        from distributed import KilledWorker

        try:
            found: Answer = done.result()
        except KilledWorker as error:
            raise self._fault(f"workers died at the same part again and again ({error})") from error
        return found

    def _threads(self) -> int:
        return max(sum(self._connected().nthreads().values()), 1)

    def _connected(self) -> Client:
        if self._client is not None:
            return self._client
        try:
            from distributed import Client
        except ImportError as error:
            raise self._fault(
                f"Dask is not installed ({error}); install the extra: pip install 'trastienda[distributed]'"
            ) from error
        try:
            client = Client(self.address, timeout=self.wait_seconds, set_as_default=False)
            client.wait_for_workers(1, timeout=self.wait_seconds)
        except (OSError, TimeoutError) as error:
            raise self._fault(f"no cluster with a worker answers at {self.address} ({error})") from error
        self._client = client
        return client

    def _fault(self, what: str) -> EngineFault:
        return EngineFault(
            f"The engine {type(self).__name__} cannot be used: {what}. Nothing was published.",
            engine=type(self).__name__,
            what=what,
        )

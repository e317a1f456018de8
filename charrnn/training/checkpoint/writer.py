"""Writing files while training continues: a thread that takes the newest job for each file."""

import threading
from collections.abc import Callable

Job = Callable[[], None]


class BackgroundWriter:
    """Runs jobs in a thread, one at a time, in the order in which their keys arrived.

    A job that has not started when another one with its key arrives is dropped, because its file would be replaced
    at once. The errors of failed jobs are kept for `take_failures`, and the thread continues.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._failures: list[Exception] = []
        self._changed = threading.Condition()
        self._busy = False
        self._thread: threading.Thread | None = None

    def submit(self, key: str, job: Job) -> None:
        """Have `job` run soon."""
        with self._changed:
            self._jobs[key] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until no job is left."""
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs and not self._busy)

    def take_failures(self) -> list[Exception]:
        """The errors of jobs that have failed since the last call."""
        with self._changed:
            failures, self._failures = self._failures, []
            return failures

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs))
                job = self._jobs.pop(next(iter(self._jobs)))
                self._busy = True
            try:
                job()
            except Exception as error:  # noqa: BLE001 - whoever takes the failures decides
                with self._changed:
                    self._failures.append(error)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

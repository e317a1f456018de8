"""Writing files while training goes on: a thread that takes the newest job for each file."""

import threading
from collections.abc import Callable

Job = Callable[[], None]


class Saver:
    """Does jobs in the background, one at a time, in the order of their keys' arrival.

    A job that has not begun when the next one with its key arrives is never done: its file would be replaced
    at once. The error of a failed job is kept for `failures`, and the thread goes on.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._failures: list[Exception] = []
        self._changed = threading.Condition()
        self._busy = False
        self._thread: threading.Thread | None = None

    def submit(self, key: str, job: Job) -> None:
        """Have `job` done soon."""
        with self._changed:
            self._jobs[key] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="saver", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self) -> None:
        """Return when nothing is left to do."""
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs and not self._busy)

    def failures(self) -> list[Exception]:
        """The errors of jobs that have failed since this was last asked."""
        with self._changed:
            found, self._failures = self._failures, []
            return found

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs))
                job = self._jobs.pop(next(iter(self._jobs)))
                self._busy = True
            try:
                job()
            except Exception as error:  # noqa: BLE001 - whoever asks for the failures decides
                with self._changed:
                    self._failures.append(error)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

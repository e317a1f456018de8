"""Writing files while training continues: a thread that takes the newest job for each file."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait


class BackgroundWriter:
    """Runs jobs in a thread, one at a time.

    A job that has not started when another one with its key arrives is dropped, because its file would be replaced
    at once. The errors of failed jobs are kept for `take_failures`.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "writer")
        self._newest: dict[str, Future[None]] = {}
        self._submitted: list[Future[None]] = []

    def submit(self, key: str, job: Callable[[], None]) -> None:
        """Have `job` run soon."""
        if key in self._newest:
            self._newest[key].cancel()
        self._newest[key] = self._thread.submit(job)
        self._submitted.append(self._newest[key])

    def wait(self) -> None:
        """Wait until no job is left."""
        wait(self._submitted)

    def take_failures(self) -> list[BaseException]:
        """The errors of jobs that have failed since the last call."""
        done = [job for job in self._submitted if job.done()]
        self._submitted = [job for job in self._submitted if job not in done]
        return [error for job in done if not job.cancelled() and (error := job.exception())]

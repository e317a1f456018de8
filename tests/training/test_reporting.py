"""What a run reports."""

import pytest

from charrnn.training.reporting import Progress


def test_what_came_before_the_first_step_does_not_count_for_the_time_left() -> None:
    progress = Progress(10, 0.5, 0.2, 40.0, 1.0, 1e-3, 1.0, 1e5)
    assert progress.seconds_left == pytest.approx(160)
    assert Progress(10, 0.5, 0.2, 40.0, 1.0, 1e-3, 1.0, 1e5, setup_seconds=30.0).seconds_left == pytest.approx(40)
    assert Progress(10, 0.5, 1.0, 40.0, 1.0, 1e-3, 1.0, 1e5).seconds_left == 0

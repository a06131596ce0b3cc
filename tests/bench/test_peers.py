import pytest

from bench.peers import Work, ably, appsync, step_functions, streamer, temporal

TEN_STEPS = Work(progress=10, watchers=2)


def test_what_is_delivered_is_every_event_to_every_watcher() -> None:
    assert (TEN_STEPS.events, TEN_STEPS.delivered, TEN_STEPS.minutes) == (13, 26, 2)


def test_the_others_are_billed_for_what_they_count() -> None:
    assert step_functions(TEN_STEPS) == pytest.approx(12 * 25 + 26 * 1.00 + 2 * 0.25)
    assert temporal(TEN_STEPS) == 23 * 50
    assert appsync(TEN_STEPS) == pytest.approx(13 + 26 + 4 + 2 * 0.08)
    assert ably(TEN_STEPS) == pytest.approx(39 * 2.50 + 3 * 1.00)


def test_ours_grows_with_progress_and_with_watchers() -> None:
    alone = streamer(Work(progress=10, watchers=1))
    assert alone < streamer(Work(progress=11, watchers=1))
    assert alone + 13 < streamer(TEN_STEPS)  # a frame for each event more

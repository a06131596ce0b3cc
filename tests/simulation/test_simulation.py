"""The simulation itself: a seed is one history, its figures are the README's, and a guard that is off is noticed."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext

import pytest

from adapters import request_log
from adapters.event_store import EventStore
from tests.simulation import figures, mutants
from tests.simulation.faults import KINDS, Faults
from tests.simulation.figures import BEGIN, END, README, RESULTS, Figures, summary, table
from tests.simulation.history import History
from tests.simulation.mutants import MUTANTS

SEEDS = 3


def simulated(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A run in a process of its own, as `make simulate` starts it."""
    command: Sequence[str] = [sys.executable, "-m", "tests.simulation", "--processes", "1", *arguments]
    return started(command)


def started(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A command, run to its end; the order of sets is the same each time."""
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_run_prints_its_figures_and_the_summary_last() -> None:
    ran = simulated("--seeds", str(SEEDS))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    last = ran.stdout.splitlines()[-1]
    assert last.startswith(f"{SEEDS} histories · ")
    assert last.endswith(" · 0 violations")


def test_a_seed_runs_the_same_way_again_call_by_call() -> None:
    first, again = (simulated("--seed", "2", "--trace").stdout for _ in range(2))
    assert first.count("\n") > 500
    assert first == again


def test_a_guard_that_is_off_is_noticed_and_told_with_what_replays_it() -> None:
    code = (
        "import sys; from tests.simulation import __main__ as it, mutants\n"
        "sys.argv = ['simulate', '--seeds', '6', '--processes', '1']\n"
        "with mutants.MUTANTS['append condition'](): sys.exit(it.main())"
    )
    ran = started([sys.executable, "-c", code])
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "the log was changed" in ran.stdout
    seed = ran.stdout.partition("seed ")[2].partition(":")[0]
    assert f"to replay a violation: make simulate SEEDS=1 SEED={seed}\n" in ran.stdout
    assert not ran.stdout.splitlines()[-1].endswith(" 0 violations")


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_what_a_mutant_switches_off_is_there(name: str) -> None:
    with MUTANTS[name]():
        pass


def test_a_mutant_that_no_longer_fits_what_it_replaces_is_no_mutant() -> None:
    with pytest.raises(TypeError, match="too many positional arguments"):
        mutants._replaced(EventStore, "append", lambda _self, _event: None)


def test_a_mutant_that_stumbles_kills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def noticed(seed: int) -> History:
        with pytest.raises(AttributeError):
            vars(request_log)["record"](None)
        return History(seed, violations=["nothing was recorded"])

    stumbling = mutants._replaced(request_log, "record", lambda *given: given[0].no_such_field)
    monkeypatch.setattr(mutants, "MUTANTS", {"stumbling": stumbling, "sound": nullcontext})
    monkeypatch.setattr(mutants, "run", noticed)
    verdict = mutants.judge("stumbling")
    assert verdict.seed is None
    assert "no_such_field" in verdict.noticed
    monkeypatch.setattr(mutants, "run", lambda seed: History(seed, violations=["a violation"]))
    assert mutants.judge("sound") == mutants.Verdict("sound", 1, "a violation"), "and says nothing of the next"


def test_a_fault_that_never_fired_is_named() -> None:
    total = Figures()
    total.add(History(1, fired=dict.fromkeys(KINDS.keys() - {"frozen"}, 1)))
    assert total.never_fired() == ["frozen"]


def test_no_fault_happens_once_they_have_stopped() -> None:
    class Always:
        def random(self) -> float:
            return 0.0

    faults = Faults(Always(), dict.fromkeys(KINDS, 1.0))  # type: ignore[arg-type]
    assert faults.strikes("throttled")
    faults.stopped = True
    assert not faults.strikes("throttled")
    assert not faults.has("outage")


def test_the_readme_has_the_figures_of_the_last_run() -> None:
    results = json.loads(RESULTS.read_text())
    told = README.read_text().partition(BEGIN)[2].partition(END)[0].strip()
    assert told == table(results)
    assert results["violations"] == 0
    assert results["histories"] >= 500
    assert results["fired"].keys() == KINDS.keys()
    assert all(results["fired"].values())
    assert summary(results).startswith(f"{results['histories']:,} histories")
    assert figures.told(results)

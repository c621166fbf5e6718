"""Random lives of a state machine: a few, the same ones each time, or many and new ones (THRESHER_TEST_PROFILE=deep)."""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

DEEP = os.environ.get("THRESHER_TEST_PROFILE") == "deep"


def live(machine: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    """Run so many lives of so many steps at most."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=not DEEP,
            phases=[Phase.generate, Phase.shrink] if DEEP else [Phase.generate],
            report_multiple_bugs=False,
            database=None,
        ),
    )

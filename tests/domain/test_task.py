from core.domain import task, worker
from tests.spec import given, register, submit


def test_a_task_is_ready_and_given_to_a_free_agent():
    facts = given(register()).when(submit("fix"))
    assert [type(f) for f in facts] == [task.Submitted, worker.Assigned]

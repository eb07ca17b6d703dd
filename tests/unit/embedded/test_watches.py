import asyncio
from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from syncd.embedded.watches import SESSIONS, Kind, Topic, Watches

paths = st.text("ab/", max_size=4).map(str.encode)
topics = st.builds(Topic, st.sampled_from([Kind.KEY, Kind.BELOW]), paths) | st.just(SESSIONS)


def concerns(topic: Topic, changed: list[bytes], *, sessions: bool) -> bool:
    match topic.kind:
        case Kind.KEY:
            return topic.path in changed
        case Kind.BELOW:
            return any(key.startswith(topic.path) for key in changed)
        case _:
            return sessions


@given(st.lists(topics), st.lists(paths), st.booleans())
def test_a_change_wakes_whom_it_concerns_and_nobody_else(
    parked: list[Topic], changed: list[bytes], sessions: bool
) -> None:
    loop = asyncio.new_event_loop()
    watches = Watches()
    with ExitStack() as stack:
        woken = [loop.create_future() for _ in parked]
        for topic, future in zip(parked, woken, strict=True):
            stack.enter_context(watches.park(topic, future))
        assert len(watches) == len(parked)
        watches.notify(changed, sessions=sessions)
        watches.notify(changed, sessions=sessions)
        assert [each.done() for each in woken] == [concerns(each, changed, sessions=sessions) for each in parked]
        watches.wake_all()
        assert all(each.done() for each in woken)
    assert len(watches) == 0
    loop.close()

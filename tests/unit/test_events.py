"""The bus: everybody who listens hears everything, in order."""

from __future__ import annotations

from pipulate.events import AppsChanged, Bus, Happening, MessagesAdded, RunChanged


def test_every_listener_hears_every_happening_in_order() -> None:
    bus, one, other = Bus(), list[Happening](), list[Happening]()
    bus.subscribe(one.append)
    bus.subscribe(other.append)
    told: list[Happening] = [RunChanged("r", 1, None), MessagesAdded("r", 1), AppsChanged(frozenset({"a"}))]
    for happening in told:
        bus.publish(happening)
    assert one == other == told


def test_listener_that_left_hears_nothing_more() -> None:
    bus, heard = Bus(), list[Happening]()
    leave = bus.subscribe(heard.append)
    leave()
    bus.publish(RunChanged("r", 1, None))
    assert heard == []


def test_listener_that_leaves_while_it_is_told_keeps_nobody_from_hearing() -> None:
    bus, heard = Bus(), list[Happening]()
    leave = bus.subscribe(lambda _: leave())
    bus.subscribe(heard.append)
    bus.publish(RunChanged("r", 1, None))
    bus.publish(RunChanged("r", 2, None))
    assert [each.version for each in heard if isinstance(each, RunChanged)] == [1, 2]


def test_nobody_has_to_listen() -> None:
    Bus().publish(AppsChanged(frozenset()))

"""Reading ahead: order, errors, and no more than was asked for."""

import threading

import pytest

from pfld.media.ahead import read_ahead


@pytest.mark.parametrize("depth", [1, 3, 20])
def test_items_come_in_their_order(depth):
    assert list(read_ahead(iter(range(10)), depth)) == list(range(10))


def test_what_is_raised_comes_in_its_place():
    def items():
        yield 1
        raise OSError("gone")

    ahead = read_ahead(items(), 3)
    assert next(ahead) == 1
    with pytest.raises(OSError, match="gone"):
        next(ahead)


def test_no_more_is_made_than_asked_for_and_closing_ends_the_thread():
    made = []

    def items():
        for index in range(100):
            made.append(threading.current_thread())
            yield index

    ahead = read_ahead(items(), 2)
    assert [next(ahead), next(ahead)] == [0, 1]
    ahead.close()
    assert 2 <= len(made) <= 4
    assert threading.current_thread() not in made and not any(thread.is_alive() for thread in made)


def test_nothing_begins_before_the_first_item_is_asked_for():
    made = []
    read_ahead(iter(made), 2).close()
    read_ahead((made.append(index) for index in range(3)), 2)
    assert made == []

"""The parts of live rendering that need no process: mailbox, pictures, meter."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from studio.live.mailbox import Mailbox
from studio.live.messages import Draw
from studio.live.meter import LiveMeter
from studio.live.pictures import SLOTS, Pictures


def test_a_mailbox_holds_one_request_and_it_is_the_newest() -> None:
    box = Mailbox(2)
    for ticket in (1, 2, 3):
        box.put(Draw(ticket, None))
    taken = box.take(0)
    assert taken is not None
    assert taken[0].ticket == 3
    assert box.take(0) is None


def test_no_slot_is_drawn_into_before_it_is_released() -> None:
    box = Mailbox(2)
    slots = []
    for ticket in (1, 2):
        box.put(Draw(ticket, None))
        taken = box.take(0)
        assert taken is not None
        slots.append(taken[1])
    assert sorted(slots) == [0, 1]
    box.put(Draw(3, None))
    assert box.take(0) is None
    box.release(slots[0])
    box.release(slots[0])  # said twice, free once
    taken = box.take(0)
    assert taken is not None
    assert taken[0].ticket == 3
    box.put(Draw(4, None))
    assert box.take(0) is None


def test_a_waiting_worker_wakes_for_a_request() -> None:
    box = Mailbox(1)
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.append(box.take(30)))
    thread.start()
    box.put(Draw(7, None))
    thread.join(30)
    assert taken == [(Draw(7, None), 0)]


def test_pictures_come_back_as_they_were_written_and_slots_do_not_touch() -> None:
    pictures = Pictures.create(40 * 30)
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (SLOTS, 30, 40, 3), np.uint8)
    alpha = random.integers(0, 256, (SLOTS, 30, 40), np.uint8)
    for slot in range(SLOTS):
        pictures.write(slot, image[slot], alpha[slot])
    pictures.write(2, image[0, :20], None)
    for slot in (0, 1, 3):
        colours, cover = pictures.read(slot, 30, 40, True)
        assert cover is not None
        assert np.array_equal(colours, image[slot])
        assert np.array_equal(cover, alpha[slot])
    colours, cover = pictures.read(2, 20, 40, False)
    assert cover is None
    assert np.array_equal(colours, image[0, :20])
    pictures.close()
    assert np.array_equal(colours, image[0, :20])  # a copy outlives the memory


def test_latency_counts_overtaken_requests_up_to_the_picture_that_answers_them() -> None:
    meter = LiveMeter(span=10.0)
    for ticket, when in ((1, 0.000), (2, 0.005), (3, 0.012)):
        meter.asked(ticket, when)
    meter.asked(3, 0.013)  # the same request again is not asked later
    meter.shown(1, 0.020)
    meter.shown(3, 0.040)
    figures = meter.figures(0.040)
    latencies = [20.0, 35.0, 28.0]
    assert figures.p50 == pytest.approx(np.percentile(latencies, 50))
    assert figures.p95 == pytest.approx(np.percentile(latencies, 95))
    assert figures.rate == pytest.approx(50.0)


def test_rate_is_of_the_newest_movement_and_nothing_when_still() -> None:
    meter = LiveMeter(span=10.0)
    for k in range(5):
        meter.shown(k, 0.1 * k)
    for k in range(11):
        meter.shown(10 + k, 3.0 + 0.02 * k)
    assert meter.figures(3.2).rate == pytest.approx(50.0)
    assert meter.figures(4.0).rate == 0.0
    assert meter.figures(30.0).p95 == 0.0

"""What every server rule promises. Subclass, name the class Test..., set the two attributes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from droidloop.models.interfaces.learning import ServerRule
from droidloop.platform.messages import Messages

from .tiny import received


def bits(server: ServerRule) -> bytes:
    """Return the bytes of all shared parameters."""
    return b"".join(value.numpy().tobytes() for _, value in sorted(server.params.items()))


class ServerRuleContract:
    """A suite for one rule: ``uploads`` are what it takes, at least three, from version 0."""

    server: Callable[[], ServerRule]
    uploads: Callable[[], Messages]

    def absorbed(self, *shards: Messages) -> ServerRule:
        server = type(self).server()
        for shard in shards:
            server.absorb(shard)
        server.close()
        return server

    def test_a_broadcast_addresses_each_phone_once_with_the_present_version(self) -> None:
        server, phones = type(self).server(), np.array([2, 5, 7])
        batches = server.broadcast(phones)
        receivers = np.concatenate([batch.receiver for batch in batches])
        assert sorted(receivers.tolist()) == phones.tolist()
        assert all((batch.base == server.version).all() for batch in batches)

    def test_uploads_change_the_parameters_and_the_version(self) -> None:
        before, after = type(self).server(), self.absorbed(type(self).uploads())
        assert after.version == before.version + 1
        assert bits(after) != bits(before)

    def test_the_order_of_arrival_changes_nothing(self) -> None:
        uploads = type(self).uploads()
        backwards = uploads.take(np.arange(len(uploads))[::-1])
        assert bits(self.absorbed(backwards)) == bits(self.absorbed(uploads))

    def test_the_order_and_the_size_of_shards_change_nothing(self) -> None:
        uploads = type(self).uploads()
        one_by_one = [uploads.take(np.array([k])) for k in range(len(uploads))]
        assert bits(self.absorbed(*one_by_one[::-1])) == bits(self.absorbed(uploads))
        assert bits(self.absorbed(*one_by_one)) == bits(self.absorbed(uploads))

    def test_a_step_that_nobody_finished_changes_nothing(self) -> None:
        before, after = type(self).server(), self.absorbed()
        assert after.version == before.version
        assert bits(after) == bits(before)

    def test_what_was_broadcast_is_not_changed_by_later_steps(self) -> None:
        server = type(self).server()
        inbox = received(server, np.array([0]))
        before = {name: array.copy() for name, array in inbox.arrays.items()}
        server.absorb(type(self).uploads())
        server.close()
        for name, array in inbox.arrays.items():
            np.testing.assert_array_equal(array, before[name])

    def test_a_diverged_upload_is_refused_whole_and_the_others_count(self) -> None:
        uploads = type(self).uploads()
        spoilt = uploads.take(np.arange(len(uploads)))
        name, array = next(iter(spoilt.arrays.items()))
        array[spoilt.offsets[name][1]] = np.nan  # the first row of message 1
        server = type(self).server()
        accepted = server.absorb(spoilt)
        server.close()
        assert accepted.tolist() == [k != 1 for k in range(len(uploads))]
        rest = uploads.take(np.arange(len(uploads)) != 1)
        assert bits(server) == bits(self.absorbed(rest))

    def test_an_upload_from_a_version_to_come_is_refused(self) -> None:
        uploads = type(self).uploads()
        server = type(self).server()
        later = replace(uploads, base=np.full(len(uploads), server.version + 1))
        assert not server.absorb(later).any()
        server.close()
        assert bits(server) == bits(type(self).server())

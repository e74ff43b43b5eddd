"""The keys of rules whose phones take steps of local SGD, and what becomes of them."""

from droidloop.platform.section import Count, Positive, Section

from .sgd import Sgd


class LocalTraining(Section):
    """Steps on a phone, as most rules take them."""

    learning_rate: Positive = 0.05
    """Of plain SGD on the sum of the losses of a batch."""
    epochs: Count = 1
    """Passes over the local data in a turn."""
    batch: Count = 256
    """Pairs of a user and an item in a batch."""
    negatives: Count = 4
    """Items drawn for each local item, anew in each turn."""

    @property
    def sgd(self) -> Sgd:
        """The steps."""
        return Sgd(self.learning_rate, self.learning_rate, self.epochs, self.batch)

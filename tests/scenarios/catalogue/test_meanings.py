"""What keys mean is read off the docstrings under them."""

from pydantic import create_model

from droidloop.platform.section import Count, Section
from droidloop.scenarios.catalogue.meanings import meanings


class Fruit(Section):
    """A fruit."""

    seeds: Count = 1
    """How many
    it has."""
    skin: bool = True


class Apple(Fruit):
    """A fruit with a core."""

    core: bool = True
    """Whether it is there."""
    seeds: Count = 5
    """In its core."""

    class Inner(Section):
        """A section within."""

        worms: Count = 1
        """Who live there."""


def test_the_words_under_a_key_are_its_meaning_on_one_line() -> None:
    assert meanings(Fruit) == {"seeds": "How many it has."}


def test_keys_of_a_base_are_known_and_may_mean_something_else() -> None:
    assert meanings(Apple) == {"seeds": "In its core.", "core": "Whether it is there."}


def test_a_type_that_was_made_knows_the_keys_of_what_it_was_made_of() -> None:
    made = create_model("Made", __base__=Apple, more=(int, 1))
    assert meanings(made) == meanings(Apple)


def test_classes_within_others_are_found() -> None:
    class Local(Section):
        """In a function."""

        key: bool = True
        """Found, too."""

    assert meanings(Apple.Inner) == {"worms": "Who live there."}
    assert meanings(Local) == {"key": "Found, too."}

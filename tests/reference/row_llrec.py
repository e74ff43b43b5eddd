"""LLRec on foursquare-nyc: a student ten times smaller than its teacher, taught and untaught.

The questions are those of ``foursquare.py``, of the latest 10 % of each user's check-ins, all 5,135
places ranked. The teacher has whole vectors of 64 numbers, the student a tensor chain of vectors of
48; both read the latest 32 visits, as long as what they were trained on, and the hours of visits
and question. Settings were chosen on validation with seed 11, after a first run of this row had
failed with others, that were not tried there (docs/tables.md): test had been seen by then, so both
differences are printed without a claim.
"""

from typing import Any

from tests.reference.row import Bar, Line, Values

DATA = "foursquare-nyc"
_PLAY, _METRIC = "latest 10 %, all places", "HR@10"
LINES = {
    "llrec-teacher": Line(_PLAY, _METRIC),
    "llrec-student": Line(_PLAY, _METRIC),
    "llrec-untaught": Line(_PLAY, _METRIC),
    "llrec-student-over-90-percent-of-teacher": Line(_PLAY, "HR@10 difference"),
    "llrec-student-over-untaught": Line(_PLAY, "HR@10 difference"),
    "llrec-times-smaller": Line("bytes that ship", "teacher by student", Bar(10.0)),
}
READ = 32
"""Visits that a question reads."""


def models(places: int) -> "tuple[Any, Any]":
    """Return the teacher and the student."""
    from droidloop.models.recommenders.place_rnn import PlaceRNN
    from droidloop.models.tables.dense import DenseTable
    from droidloop.models.tables.tensor_chain import TensorChainTable

    whole = DenseTable(places, 64, name="place", sd=0.1)
    chain = TensorChainTable(places, 48, 26, name="place", sd=0.1)
    return PlaceRNN(whole, hours=True), PlaceRNN(chain, hours=True)


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    from droidloop.models.fitting.llrec import (
        PlaceTeaching,
        Practice,
        place_scorer,
        train_places,
    )
    from droidloop.platform.draws import Draws
    from tests.reference.foursquare import city, judge

    data = city()
    teacher, student = models(len(data.places))
    practice = Practice(epochs=6, lr=0.005, dropout=0.3, decay=0.01)
    known = train_places(teacher, data.train, practice, Draws(seed, "teacher"))
    lesson = PlaceTeaching(teacher, known, soft=0.5)
    brief, draws = Practice(epochs=6, lr=0.01), Draws(seed, "student")
    taught = train_places(student, data.train, brief, draws, teaching=lesson)
    untaught = train_places(student, data.train, brief, draws)
    whole, small, alone = (
        judge(place_scorer(model, params, READ), data)["all HR@10"]
        for model, params in ((teacher, known), (student, taught), (student, untaught))
    )
    values = (whole, small, alone, small - 0.9 * whole, small - alone)
    return dict(zip(LINES, (*values, teacher.nbytes / student.nbytes), strict=True))

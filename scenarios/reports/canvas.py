"""An empty picture, drawn without a display, and how it gets into a file."""

from pathlib import Path
from typing import Any

from droidloop.platform.errors import UsageError


def blank(height: float) -> Any:
    """Return a matplotlib figure as wide as all of ours and *height* inches high."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Any, path: Path) -> None:
    """Write *figure* to *path* as a PNG, whatever *path* is called.

    Raises:
        UsageError: *path* cannot be written.
    """
    try:
        figure.savefig(path, dpi=130, format="png")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); name another file") from (
            error
        )

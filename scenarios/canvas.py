"""An empty picture, drawn without a display."""

from typing import Any


def blank(height: float) -> Any:
    """Return a matplotlib figure as wide as all of ours and *height* inches high."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure

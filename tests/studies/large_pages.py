"""The page of a run of 1,000 phones and of a sweep of 48 runs, drawn at every size and theme.

`python -m tests.studies.large_pages FOLDER`: plays both, writes their pages and a picture of each
drawing into FOLDER, and prints a JSON line a drawing: bytes, charts drawn of how many, what the
console said, what axe found that is serious. Exit code 1 if any is not as it should be.
"""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import droidloop
from tests.scenarios.pages.browser import Drawn, browser, drawn
from tests.scenarios.pages.test_pages import AXE, MOST_BYTES
from tests.studies.ray_sweep import plan

WIDTHS, THEMES = (1280, 390), ("light", "dark")
CHANGES: dict[str, Any] = {
    "population.phones": 1000,
    "data.users": 1000,
    "churn.lifetime_days": 2.0,
    "churn.announced_share": 0.3,
    "churn.forget_share": 0.1,
    "churn.return_share": 0.5,
    "churn.empty_share": 0.5,
    "unlearning.kind": "fru",
}


def pages(folder: Path) -> dict[str, Path]:
    """Play the run and the sweep in *folder*; return their pages."""
    folder.mkdir(parents=True)
    droidloop.run(droidloop.load("quickstart").with_(CHANGES), folder / "run-1000")
    droidloop.sweep(plan(48), folder / "sweep-48")
    made = {name: folder / f"{name}.html" for name in ("run-1000", "sweep-48")}
    for name, page in made.items():
        words = ["report", str(folder / name), "--html", str(page)]
        script = "from droidloop.scenarios.cli.main import main; main()"
        subprocess.run([sys.executable, "-P", "-c", script, *words], check=True)
    return made


def looked_at(page: Drawn, path: Path) -> dict[str, Any]:
    """Return what *page*, of the file *path*, is like."""
    page.driver.set_script_timeout(240)
    page.driver.execute_script((files("axe_core_python") / "axe.min.js").read_text())
    found = page.driver.execute_async_script(AXE)
    return {
        "bytes": path.stat().st_size,
        "charts": page.ask("document.querySelectorAll('.chart').length"),
        "drawn": page.ask("document.querySelectorAll('.chart svg').length"),
        "scroll_width": page.ask("document.documentElement.scrollWidth"),
        "console": page.said(),
        "serious": [one for one in found if one[0] in ("serious", "critical")],
    }


def main(folder: Path) -> None:
    """Print a line for each drawing."""
    held = True
    with browser() as driver:
        for name, path in pages(folder).items():
            for width in WIDTHS:
                for theme in THEMES:
                    page = drawn(driver, path, width, theme)
                    page.picture(folder / f"{name}-{width}-{theme}.png")
                    one = looked_at(page, path)
                    held &= one["drawn"] == one["charts"] > 0 and one["bytes"] < MOST_BYTES
                    held &= not one["console"] and not one["serious"]
                    held &= one["scroll_width"] <= width
                    print(json.dumps({"page": name, "width": width, "theme": theme, **one}))
    raise SystemExit(0 if held else 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

// Draws every chart in the colours of the page, again when these change.
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function colours() {
  const ink = dark.matches ? "#e6edf3" : "#1b1f24";
  const line = dark.matches ? "#39424d" : "#d0d7de";
  const mark = dark.matches ? "#8ab4f8" : "#0b57d0";
  const columns = window.innerWidth < 600 ? { columns: 1, labelLimit: 300 } : { columns: 2, labelLimit: 240 };
  const label = { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12 };
  return {
    background: null,
    font: "system-ui, sans-serif",
    view: { stroke: null },
    axis: {
      ...label,
      gridColor: line,
      domainColor: line,
      tickColor: line,
      labelLimit: 130,
      labelOverlap: "greedy",
      labelSeparation: 8,
    },
    legend: { ...label, orient: "bottom", direction: "vertical", ...columns },
    mark: { color: mark },
    rule: { color: mark },
    range: {
      category: dark.matches
        ? ["#8ab4f8", "#ffb454", "#7ee787", "#ff8f8f", "#d2a8ff", "#e3b8a0", "#f5a3d7", "#c9d1d9", "#e3e36b", "#76e3ea"]
        : ["#0b57d0", "#b35900", "#1a7f37", "#cf222e", "#8250df", "#7b4b32", "#bf3989", "#57606a", "#7d7200", "#0a7c86"],
    },
  };
}

function fitting(spec, width) {
  const found = { ...spec, width, autosize: { type: "fit-x", contains: "padding" } };
  return { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...found };
}

async function draw() {
  for (const place of document.querySelectorAll(".chart")) {
    const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
    const options = {
      actions: false,
      renderer: "svg",
      config: colours(),
      tooltip: { disableDefaultStyle: true },
    };
    const drawn = await vegaEmbed(place, fitting(spec, "container"), options);
    drawn.view.container().querySelector("svg").setAttribute("aria-hidden", "true");
  }
  document.body.dataset.drawn = "yes";
}

dark.addEventListener("change", draw);
draw();

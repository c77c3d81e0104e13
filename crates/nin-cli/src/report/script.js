// Shows a chart's values under the pointer or, with arrow keys, at its points.
for (const figure of document.querySelectorAll("figure.chart")) {
  const chart = JSON.parse(figure.querySelector("script").textContent);
  const svg = figure.querySelector("figcaption ~ svg");
  const cursor = svg.querySelector(".cursor");
  const readout = figure.querySelector(".readout");
  const stops = [...new Set(chart.series.flatMap(s => s.points.map(p => p[0])))].sort((a, b) => a - b);
  let at = -1;

  const nearest = (points, epoch) =>
    points.reduce((best, p) => Math.abs(p[0] - epoch) < Math.abs(best[0] - epoch) ? p : best);
  const round = value => String(Math.round(value * 100) / 100);

  function show(epoch) {
    const x = chart.left + (chart.right - chart.left) * epoch / chart.epochs;
    cursor.setAttribute("d", `M${x} ${chart.top}V${chart.bottom}`);
    readout.textContent = chart.series.filter(s => s.points.length).map(s => {
      const [when, value] = nearest(s.points, epoch);
      return `${s.name} ${value.toFixed(4)} (epoch ${round(when)})`;
    }).join(", ");
  }

  svg.addEventListener("pointermove", event => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const epoch = (x - chart.left) / (chart.right - chart.left) * chart.epochs;
    if (!stops.length || epoch < 0 || epoch > chart.epochs) return;
    at = stops.indexOf(stops.reduce((a, b) => Math.abs(b - epoch) < Math.abs(a - epoch) ? b : a));
    show(stops[at]);
  });
  svg.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !stops.length) return;
    event.preventDefault();
    at = Math.min(Math.max(at + step, 0), stops.length - 1);
    show(stops[at]);
  });
}

// Fades the edge of a table or drawing that scrolls to the right.
for (const wide of document.querySelectorAll(".wide")) {
  const tell = () => wide.classList.toggle("more", wide.scrollLeft + wide.clientWidth < wide.scrollWidth - 1);
  wide.addEventListener("scroll", tell, { passive: true });
  new ResizeObserver(tell).observe(wide); // when a section opens or a phone is rotated
}

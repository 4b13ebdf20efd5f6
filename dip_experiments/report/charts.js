// Lines over the iterations, drawn by uPlot: hover values, log and linear axes, lines that can be hidden.

// `lines`: { key, title, colour, dash, x, y, least, most, marks }. `options`: { label, unit, logX, logY, off, hidden,
// chosen }: `hidden` is told the keys of lines that are not shown, `chosen` the iteration that was clicked.
function drawChart(host, lines, options) {
  const off = new Set(options.off);
  const plotted = lines.map((line) => (options.logY ? positive(line) : line));
  const { data, series, bands, places } = arranged(plotted, off);
  const legend = legendOf(lines, off, (key, shown) => {
    if (shown) off.delete(key);
    else off.add(key);
    places[lines.findIndex((line) => line.key === key)].forEach((at) => plot.setSeries(at, { show: shown }));
    options.hidden([...off]);
  });
  const box = element("div", { class: "plot", tabindex: 0, role: "slider", "aria-label": `${options.label} over the iterations` });
  host.replaceChildren(box, legend.list);
  const plot = new uPlot(uplotOptions(series, bands, box, options, tell), data, box);
  function tell(at) {
    const end = at === null || at === undefined;
    const index = end ? data[0].length - 1 : at;
    const said = places.map(([place], which) => saidValue(lines[which], data, place, index, end, options.unit));
    legend.tell(said, end ? "at the end" : `iteration ${data[0][index]}`);
    describe(box, data[0], index, lines, said, off);
  }
  tell(null);
  listen(box, plot, data[0], options);
  return plot;
}

function positive(line) {
  const above = (values) => values && values.map((value) => (value > 0 ? value : null));
  return { ...line, y: above(line.y), least: above(line.least), most: above(line.most) };
}

// All lines on one axis of iterations, as uPlot wants them; `places`: which of its series each line has.
function arranged(lines, off) {
  const tables = lines.map((line) => (line.least ? [line.x, line.y, line.most, line.least] : [line.x, line.y]));
  const series = [{}], bands = [], places = [];
  for (const line of lines) {
    const first = series.length, show = !off.has(line.key);
    series.push(seriesOf(line, show));
    places.push([first]);
    if (!line.least) continue;
    series.push({ show, stroke: "transparent", width: 0, points: { show: false } }, { show, stroke: "transparent", width: 0, points: { show: false } });
    bands.push({ series: [first + 1, first + 2], fill: faint(line.colour) });
    places.at(-1).push(first + 1, first + 2);
  }
  return { data: uPlot.join(tables), series, bands, places };
}

function seriesOf(line, show) {
  const common = { label: line.title, show, stroke: line.colour, width: 1.75, dash: line.dash };
  if (!line.marks) return { ...common, points: { show: false } };
  return { ...common, paths: () => null, points: { show: true, size: 10, width: 2, fill: colour("--paper") } };
}

function uplotOptions(series, bands, box, options, tell) {
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: `12px ${getComputedStyle(document.body).fontFamily}` };
  return {
    width: box.clientWidth, height: chartHeight(box), series, bands,
    legend: { show: false },
    cursor: { drag: { x: true, y: false }, points: { size: 7 } },
    scales: { x: { time: false, distr: options.logX ? 3 : 1 }, y: { distr: options.logY ? 3 : 1 } },
    axes: [
      { ...axis, label: "iteration", labelSize: 16, labelFont: axis.font, size: 26 },
      { ...axis, label: options.label, labelSize: 16, labelFont: axis.font, size: 52, values: (_, ticks) => ticks.map(tick) },
    ],
    hooks: { setCursor: [(plot) => tell(plot.cursor.idx)] },
  };
}

function chartHeight(box) {
  return Math.round(Math.min(400, Math.max(240, box.clientWidth * 0.42)));
}

function tick(value) {
  if (value === null) return "";
  return Math.abs(value) < 0.001 && value !== 0 ? value.toExponential(0) : String(Number(value.toPrecision(4)));
}

// A line's value at an index of the chart, in words; before the cursor comes, that of its own end. Marks say where they are.
function saidValue(line, data, place, index, end, unit) {
  if (line.marks) return line.x.length > 1 ? `${line.x[0]} to ${line.x.at(-1)}` : `${line.x[0]}`;
  if (!end && data[0][index] > line.x.at(-1)) return "";
  return shownValue(end ? line.y.at(-1) : valueNear(data[place], index), unit);
}

function valueNear(values, index) {
  for (let away = 0; away < values.length; away += 1) {
    const found = values[index - away] ?? values[index + away];
    if (found !== null && found !== undefined) return found;
  }
  return null;
}

function shownValue(value, unit) {
  if (value === null || value === undefined) return "";
  if (unit === "dB") return value > 119.99 ? "identical" : `${value.toFixed(2)} dB`;
  return String(Number(value.toPrecision(4)));
}

function legendOf(lines, off, turned) {
  const at = element("li", { class: "at" });
  const values = lines.map(() => element("span", { class: "value" }));
  const list = element("ul", { class: "legend", "aria-label": "Lines, each with a switch" }, at);
  lines.forEach((line, which) => {
    const swatch = element("span", { class: line.marks ? "swatch mark" : "swatch", "aria-hidden": "true" });
    swatch.style.borderColor = line.colour;
    if (line.dash) swatch.style.borderTopStyle = "dashed";
    const button = turner("", !off.has(line.key), (shown) => turned(line.key, shown));
    button.append(swatch, line.title);
    list.append(element("li", {}, button, values[which]));
  });
  return { list, tell: (said, where) => { at.textContent = where; said.forEach((text, which) => { values[which].textContent = text; }); } };
}

// The chart to a reader that does not see it: a slider over the iterations that says the values there.
function describe(box, iterations, index, lines, said, off) {
  box.setAttribute("aria-valuemin", iterations[0]);
  box.setAttribute("aria-valuemax", iterations.at(-1));
  box.setAttribute("aria-valuenow", iterations[index]);
  const shown = lines.map((line, which) => (said[which] && !off.has(line.key) ? `${line.title} ${said[which]}` : ""));
  box.setAttribute("aria-valuetext", `iteration ${iterations[index]}: ${shown.filter(Boolean).join(", ")}`);
}

function listen(box, plot, iterations, options) {
  const moves = { ArrowLeft: -1, ArrowRight: 1, PageDown: -20, PageUp: 20, Home: -Infinity, End: Infinity };
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter") options.chosen(iterations[plot.cursor.idx ?? iterations.length - 1]);
    if (!(event.key in moves)) return;
    event.preventDefault();
    const from = plot.cursor.idx ?? (moves[event.key] > 0 ? -1 : iterations.length);
    const to = Math.min(Math.max(from + moves[event.key], 0), iterations.length - 1);
    plot.setCursor({ left: plot.valToPos(iterations[to], "x"), top: plot.over.clientHeight / 2 });
  });
  plot.over.addEventListener("click", () => plot.cursor.idx !== null && options.chosen(iterations[plot.cursor.idx]));
  new ResizeObserver(() => box.isConnected && box.clientWidth && plot.setSize({ width: box.clientWidth, height: chartHeight(box) })).observe(box);
}

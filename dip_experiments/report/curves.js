// The curves of one run or of two: which quantity, of which seed, on which axes, with the marks of all stopping rules.

const LINE_COLOURS = { psnr_average: "--line-1", psnr_reference: "--line-2", psnr_mean: "--line-3", psnr_measurement: "--line-4" };
const MARK_COLOURS = ["--mark-1", "--mark-2", "--mark-3", "--mark-4", "--mark-5", "--mark-6", "--mark-7"];
const PSNR = "PSNR, dB";

// `runs`: one or two; `chosen` is told an iteration that was clicked.
function curveBlock(runs, chosen) {
  const block = element("section", { class: "curves" }, element("h2", {}, "Curves"));
  const controls = element("div", { class: "controls" }), host = element("div", { class: "chart" });
  block.append(controls, host, element("p", { class: "quiet" }, "A click, or Enter, shows the pictures kept nearest to that iteration; arrow keys move along the lines, dragging enlarges, a double click shows all again."));
  const draw = () => {
    const asked = choicesNow(runs);
    controls.replaceChildren(...controlsFor(runs, asked, (changes) => { note(changes); draw(); }));
    drawChart(host, linesOf(runs, asked), { ...asked, label: asked.quantity, unit: asked.quantity === PSNR ? "dB" : "", hidden: (off) => note({ off: off.join(" ") }), chosen });
  };
  return { block, draw };
}

function quantities(runs) {
  return [...new Set(runs.flatMap((run) => run.chart.columns.map((column) => column.quantity)))];
}

// What the address says, completed: a loss is read on a log scale, a PSNR, which is a logarithm, on a linear one.
function choicesNow(runs) {
  const words = readAddress(), there = quantities(runs);
  const quantity = there.includes(words.quantity) ? words.quantity : there[0];
  const canLog = quantity !== PSNR;
  return {
    quantity, canLog,
    seed: words.of ?? "",
    logX: words.x === "log",
    logY: canLog && words.y !== "linear",
    off: (words.off ?? "").split(" ").filter(Boolean),
  };
}

function controlsFor(runs, asked, change) {
  const seeds = [...new Set(runs.flatMap((run) => run.seeds))].map(String);
  const made = [chooser("quantity", quantities(runs).map((name) => [name, name]), asked.quantity, (quantity) => change({ quantity, y: "" }))];
  if (seeds.length > 1) {
    const all = ["", runs.length > 1 ? "all: mean and range" : `all ${seeds.length}: mean and range`];
    made.push(chooser("seed", [all, ...seeds.map((seed) => [seed, seed])], asked.seed, (of) => change({ of })));
  }
  made.push(turner("log iterations", asked.logX, (on) => change({ x: on ? "log" : "" })));
  if (asked.canLog) made.push(turner(`log ${asked.quantity}`, asked.logY, (on) => change({ y: on ? "" : "linear" })));
  return made;
}

function linesOf(runs, asked) {
  const lines = runs.flatMap((run, which) => runLines(run, asked, runs.length > 1 ? "AB"[which] : "", which));
  const marks = runs.flatMap((run, which) => markLines(run, asked, runs.length > 1 ? "AB"[which] : "", lines));
  return [...lines, ...marks];
}

function runLines(run, asked, letter, which) {
  return run.chart.columns.filter((column) => column.quantity === asked.quantity).map((column) => ({
    key: `${letter}${column.name}`,
    title: letter ? `${letter}: ${column.title}` : column.title,
    colour: colour(LINE_COLOURS[column.name] ?? "--line-1"),
    dash: which ? [6, 4] : undefined,
    x: run.chart.iteration,
    ...seedValues(column.values, run.seeds.map(String).indexOf(asked.seed)),
  }));
}

// One seed's values, or mean, least and most of all; a column that all seeds share has one list.
function seedValues(values, seed) {
  if (values.length === 1) return { y: values[0] };
  if (seed >= 0) return { y: values[seed] };
  const over = (of) => values[0].map((_, at) => {
    const there = values.map((one) => one[at]).filter((value) => value !== null);
    return there.length ? of(there) : null;
  });
  return {
    y: over((there) => there.reduce((sum, value) => sum + value, 0) / there.length),
    least: over((there) => Math.min(...there)),
    most: over((there) => Math.max(...there)),
  };
}

// Marks on the run's first line where each rule stops; of all seeds, or of the chosen one.
function markLines(run, asked, letter, lines) {
  const under = lines.find((line) => run.marked.some((name) => line.key === letter + name)) ?? lines.find((line) => line.key.startsWith(letter));
  if (!under) return [];
  const seed = run.seeds.map(String).indexOf(asked.seed);
  return Object.entries(run.stops).map(([rule, stops], at) => {
    const here = (seed >= 0 ? [stops[seed]] : stops).filter((iteration) => iteration !== null);
    const x = [...new Set(here)].sort((a, b) => a - b);
    const title = `${letter ? `${letter}: ` : ""}${rule.replaceAll("_", " ")} stops`;
    return { key: `${letter}stop:${rule}`, title, colour: colour(MARK_COLOURS[at % MARK_COLOURS.length]), marks: true, x, y: x.map((n) => between(under, n)) };
  }).filter((line) => line.x.length);
}

// A line's value at an iteration, straight between its points.
function between(line, iteration) {
  const after = Math.max(line.x.findIndex((n) => n >= iteration), 0);
  const [left, right] = [line.x[after - 1], line.x[after]];
  const [low, high] = [line.y[after - 1], line.y[after]];
  if (after === 0 || right === iteration || low === null || high === null) return high;
  return low + ((high - low) * (iteration - left)) / (right - left);
}

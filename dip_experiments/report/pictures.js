// The pictures that runs have kept: a slider over their iterations, what the network saw, output, average, error, all others.

function source(run, name) {
  return `assets/pictures/${encodeURIComponent(run.run)}/${encodeURIComponent(name)}.png`;
}

function keptIterations(runs) {
  const all = runs.flatMap((run) => [...Object.keys(run.pictures.outputs), ...Object.keys(run.pictures.averages)]);
  return [...new Set(all.map(Number))].sort((a, b) => a - b);
}

// The block of one run or of two, which share the slider; `moveTo` goes to the kept iteration nearest to one.
function pictureBlock(runs) {
  const block = element("section", { class: "pictures" }, element("h2", {}, "Pictures"));
  const iterations = keptIterations(runs);
  if (!runs.some((run) => Object.keys(run.pictures.others).length || iterations.length)) {
    block.append(...runs.filter((run) => run.pictures.thumbnail.length).map((run) => element("img", { class: "thumbnail", src: `assets/thumbnails/${encodeURIComponent(run.run)}.png`, alt: run.pictures.thumbnail.join(", ") })));
    block.append(element("p", { class: "quiet" }, "No pictures are kept here: a record holds only those that a figure shows, and a thumbnail. The whole run, made again with its command below, has them."));
    return { block, moveTo: () => {} };
  }
  const rows = runs.map((run, which) => pictureRow(run, runs.length > 1 ? "AB"[which] : ""));
  const show = (iteration) => rows.forEach((row) => row.show(iteration));
  const slider = iterationSlider(iterations, show);
  block.append(element("div", { class: "controls" }, slider.control), ...rows.map((row) => row.row));
  show(slider.now());
  return { block, moveTo: slider.moveTo };
}

function iterationSlider(iterations, show) {
  if (!iterations.length) return { control: element("p", { class: "quiet" }, "No iteration's output is kept."), now: () => null, moveTo: () => {} };
  const said = element("output");
  const range = element("input", { type: "range", min: 0, max: iterations.length - 1, step: 1, id: "iteration" });
  const now = () => iterations[range.valueAsNumber];
  const shown = () => {
    said.textContent = `iteration ${now()}`;
    range.setAttribute("aria-valuetext", said.textContent);
  };
  const moved = () => { shown(); note({ i: now() }); show(now()); };
  range.addEventListener("input", moved);
  range.value = nearest(iterations, Number(readAddress().i ?? iterations.at(-1)));
  shown();
  const control = element("label", { class: "slider" }, element("span", {}, `kept iterations (${iterations.length})`), range, said);
  return { control, now, moveTo: (iteration) => { range.value = nearest(iterations, iteration); moved(); } };
}

function nearest(iterations, wanted) {
  const far = iterations.map((n) => Math.abs(n - wanted));
  return far.indexOf(Math.min(...far));
}

// One run's row. A picture that is not there is said, with the iterations at which there is one.
function pictureRow(run, letter) {
  const { others, outputs, averages, against, seed } = run.pictures;
  const saw = pane(run, "what it saw"), output = pane(run, "output"), average = pane(run, "average of outputs");
  const error = pane(run, against === "target" ? "output against what it saw, x 4" : "error of the output, x 4");
  const still = Object.entries(others).filter(([name]) => !["target", "average"].includes(name)).map(([name, title]) => {
    const made = pane(run, title);
    made.show([name]);
    return made;
  });
  const panes = [saw, output, average, error, ...still];
  saw.show(others.target ? ["target"] : [], "not kept");
  const show = (iteration) => {
    const shown = keptAt(outputs, iteration, letter), averaged = keptAt(averages, iteration, letter);
    output.show(shown.names, lacking(outputs), shown.at);
    average.show(averaged.names, lacking(averages), averaged.at);
    error.show(against && shown.names.length ? [...shown.names, against] : [], against ? lacking(outputs) : "there is nothing to compare it with", shown.at);
  };
  const heading = letter ? `${letter}: ${run.title}, seed ${seed}` : `Seed ${seed}.`;
  const row = element("div", { class: "row-of-pictures" }, element("p", { class: "quiet" }, heading), element("div", { class: "panes" }, ...panes.map((one) => one.figure)));
  return { row, show };
}

// Pictures upon each other: of two, the difference is shown, four times as large.
function pane(run, title) {
  const frame = element("div", { class: "frame" }), [width, height] = run.pictures.size ?? [1, 1];
  frame.style.aspectRatio = `${width} / ${height}`;
  const caption = element("figcaption", {}, title);
  const show = (names, reason, at = "") => {
    caption.textContent = title + at;
    frame.replaceChildren(...(names.length ? names.map((name, at) => element("img", { src: source(run, name), alt: at ? "" : title, class: at ? "over" : "" })) : [element("p", { class: "lack" }, reason)]));
  };
  return { figure: element("figure", {}, frame, caption), show };
}

// The picture of an iteration. Two runs have kept different ones: of each the nearest is shown, and said.
function keptAt(pictures, iteration, several) {
  const there = Object.keys(pictures).map(Number);
  if (pictures[iteration] || !several || !there.length) return { names: pictures[iteration] ? [pictures[iteration]] : [], at: "" };
  const next = there[nearest(there, iteration)];
  return { names: [pictures[next]], at: `, iteration ${next}` };
}

function lacking(pictures) {
  const there = Object.keys(pictures);
  return there.length ? `not kept at this iteration; there is one at ${there.slice(0, 6).join(", ")}${there.length > 6 ? ", ..." : ""}` : "not kept";
}

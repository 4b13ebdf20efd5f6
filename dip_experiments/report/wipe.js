// A wipe between two pictures of the same fit, or of two: one lies over the other, up to where the divider stands.

function wipe(runs) {
  const sides = runs.flatMap((run, which) => sidesOf(run, runs.length > 1 ? `${"AB"[which]}: ` : "", "ab"[which]));
  const part = element("div", { class: "wipe" });
  if (sides.length < 2) return { part, show: () => {} };
  const words = readAddress(), keys = sides.map((side) => side.key);
  const asked = { left: words.left, right: words.right };
  if (!keys.includes(asked.left)) asked.left = keys[0];
  if (!keys.includes(asked.right)) asked.right = usual(keys, asked.left);
  const frame = wipeFrame(runs[0], Number(words.at ?? 50));
  let iteration = null;
  const draw = () => frame.show(...["left", "right"].map((which) => sides.find((side) => side.key === asked[which])), iteration);
  const choose = (which) => chooser(which, sides.map((side) => [side.key, side.title]), asked[which], (key) => {
    asked[which] = key;
    note({ [which]: key });
    draw();
  });
  part.append(element("h3", {}, "Wipe between two"), element("div", { class: "controls" }, choose("left"), choose("right")), frame.figure);
  return { part, show: (now) => { iteration = now; draw(); } };
}

// What can be on a side: the output and the average at the slider's iteration, and all pictures that have none.
function sidesOf(run, prefix, letter) {
  const { outputs, averages, others } = run.pictures;
  const moving = [["output", "output", outputs], ["average-at", "average of outputs", averages]].filter(([, , there]) => Object.keys(there).length);
  return [
    ...moving.map(([key, title, there]) => ({ run, key: letter + key, title: prefix + title, name: (iteration) => keptAt(there, iteration, prefix).names[0] })),
    ...Object.entries(others).map(([name, title]) => ({ run, key: letter + name, title: prefix + title, name: () => name })),
  ];
}

// The clean picture, else the other run's output, else what it saw, else whatever is there.
function usual(keys, left) {
  return ["boutput", "areference", "atarget"].find((key) => keys.includes(key) && key !== left) ?? keys.find((key) => key !== left);
}

function wipeFrame(run, at) {
  const under = element("div", { class: "side" }), over = element("div", { class: "side" });
  const divider = element("div", { class: "divider", "aria-hidden": "true" });
  const range = element("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": "Divider between left and right, per cent" });
  range.value = at;
  const cut = () => {
    over.style.clipPath = `inset(0 ${100 - range.valueAsNumber}% 0 0)`;
    divider.style.left = `${range.value}%`;
  };
  range.addEventListener("input", () => { cut(); note({ at: range.value }); });
  cut();
  const box = element("div", { class: "frame wiped" }, under, over, divider, range);
  box.style.aspectRatio = (run.pictures.size ?? [1, 1]).join(" / ");
  const caption = element("figcaption");
  const fill = (holder, side, iteration) => {
    const name = side.name(iteration);
    holder.replaceChildren(name ? image(source(side.run, name), side.title, "") : element("p", { class: "lack" }, `${side.title}: not kept at this iteration`));
  };
  const show = (left, right, iteration) => {
    fill(over, left, iteration);
    fill(under, right, iteration);
    caption.textContent = `left: ${left.title}; right: ${right.title}`;
  };
  return { figure: element("figure", {}, box, caption), show };
}

// Two runs side by side: their curves in one chart, their pictures under one slider, what they came to, what differs.

async function showComparison(section, words) {
  const head = [element("h1", { tabindex: -1 }, "Two runs side by side"), pairForm(words)];
  if (!words.a || !words.b) {
    section.replaceChildren(...head, element("p", { class: "quiet" }, "Choose two runs, here or in the table of runs."));
    return;
  }
  const runs = await Promise.all([loadRun(words.a), loadRun(words.b)]);
  const shown = pictureBlock(runs), curves = curveBlock(runs, shown.moveTo);
  section.replaceChildren(
    ...head,
    ...runs.map((run, at) => element("p", { class: "which" }, element("strong", {}, "AB"[at]), " ", element("a", { href: link({ view: "run", run: run.run }) }, run.title), ` ${run.run}`)),
    curves.block, shown.block,
    differences("What they came to", ["number", "A", "B"], ...runs.map((run) => run.numbers), false),
    differences("Settings that differ", ["setting", "A", "B"], ...runs.map((run) => run.settings), true),
  );
  curves.draw();
}

function pairForm(words) {
  const names = [...document.querySelectorAll("#table tbody tr")].map((row) => [row.dataset.run, runLabel(row)]);
  names.sort((one, other) => one[1].localeCompare(other[1], "en", { numeric: true }));
  const choose = (letter) => chooser(letter.toUpperCase(), [["", "choose a run"], ...names], words[letter] ?? "", (name) => {
    location.hash = link({ ...readAddress(), [letter]: name });
  });
  return element("div", { class: "controls pair" }, choose("a"), choose("b"));
}

// What tells a run from the others of its experiment: its words in the table.
function runLabel(row) {
  const words = [...row.cells].slice(2, 8).map((cell) => cell.textContent).filter(Boolean);
  return `${words.join(" · ")} · ${row.dataset.run.slice(0, 8)}`;
}

// Rows of two lists by name; of settings only those that differ.
function differences(title, head, one, other, only) {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((name) => !only || one[name] !== other[name]);
  const rows = names.map((name) => [name, one[name] ?? "-", other[name] ?? "-"]);
  return element("section", {}, element("h2", {}, title), rows.length ? grid(title, head, rows) : element("p", {}, "None."));
}

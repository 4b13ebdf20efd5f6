// Two runs side by side: their curves in one chart, their pictures under one slider, what they came to, what differs.

async function showComparison(section, words) {
  const head = [element("h1", { tabindex: -1 }, "Two runs side by side"), element("div", { class: "controls pair" }, runSearch("a", words), runSearch("b", words))];
  if (!words.a || !words.b) {
    section.replaceChildren(...head, element("p", { class: "quiet" }, "Choose two runs."));
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

// A search as the table's; its first hits are links, and Enter takes the first.
function runSearch(letter, words) {
  const chosen = table.rows.find((row) => row.name === words[letter]);
  const found = element("p", { role: "status", class: "quiet" }), hits = element("ul", { class: "hits" });
  const input = element("input", { type: "search", value: chosen && runTitle(chosen), placeholder: "a picture, lr=0.003, no_norm, ..." });
  const show = () => {
    const rows = searchRows(table.rows, input.value), first = rows.slice(0, 8);
    found.textContent = `${rows.length} run${rows.length === 1 ? "" : "s"}${rows.length > first.length ? `, the first ${first.length}` : ""}`;
    hits.replaceChildren(...first.map((row) => element("li", {}, element("a", { href: link({ ...words, [letter]: row.name }) }, runTitle(row)))));
  };
  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => event.key === "Enter" && hits.querySelector("a")?.click());
  if (!chosen) show();
  return element("div", { class: "chooser" }, element("label", { class: "chooser" }, `run ${letter.toUpperCase()}`, input), found, hits);
}

function runTitle({ row, name }) {
  return `${row.cells[0].textContent} · ${row.cells[5].textContent} · ${name.slice(0, 8)}`;
}

// Rows of two lists by name; of settings only those that differ.
function differences(title, head, one, other, only) {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((name) => !only || one[name] !== other[name]);
  const rows = names.map((name) => [name, one[name] ?? "-", other[name] ?? "-"]);
  return element("section", {}, element("h2", {}, title), rows.length ? grid(title, head, rows) : element("p", {}, "None."));
}

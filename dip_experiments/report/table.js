// The table of runs: chosen by facets and words, sorted by a column, two of them picked for a comparison.

const FACETS = ["experiment", "task", "target", "architecture", "image", "seed", "scale", "page"];
const picked = [];

function tableRows() {
  return [...document.querySelectorAll("#table tbody tr")].map((row) => ({
    row,
    name: row.dataset.run,
    facets: JSON.parse(row.dataset.facets),
    text: row.textContent.toLowerCase() + row.dataset.run,
  }));
}

function startTable() {
  const rows = tableRows(), form = document.getElementById("filters");
  const show = () => showTable(rows, form);
  const changed = () => { note({ ...Object.fromEntries(new FormData(form)) }); show(); };
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    note(Object.fromEntries([...FACETS, "q"].map((name) => [name, ""])));
    form.elements.page.value = "";
    setTimeout(show);
  });
  for (const head of document.querySelectorAll("#table th[data-column]")) {
    head.firstElementChild.addEventListener("click", () => { note({ sort: nextSort(head) }); show(); });
  }
  for (const { row, name } of rows) row.querySelector("input").addEventListener("change", (event) => pick(name, event.target.checked));
  return { show, rows };
}

// A new column begins with what is large of numbers, with A of words.
function nextSort(head) {
  const { sort = "" } = readAddress(), { column, kind } = head.dataset;
  if (sort === column) return `-${column}`;
  if (sort === `-${column}`) return column;
  return kind === "number" ? `-${column}` : column;
}

function showTable(rows, form) {
  const words = readAddress();
  for (const name of [...FACETS, "q"]) if (form.elements[name]) form.elements[name].value = words[name] ?? "";
  const shown = rows.filter((row) => matches(row, words));
  for (const one of rows) one.row.hidden = true;
  for (const one of shown) one.row.hidden = false;
  sortRows(shown, words.sort ?? "");
  const of = words.page ? ` of ${words.page}` : "";
  document.getElementById("found").textContent = `${shown.length} of ${rows.length} runs${of}`;
}

function matches(row, words) {
  const asked = (words.q ?? "").toLowerCase().split(" ").filter(Boolean);
  return FACETS.every((name) => !words[name] || row.facets[name].includes(words[name])) && asked.every((word) => row.text.includes(word));
}

function sortRows(shown, sort) {
  const name = sort.replace(/^-/, ""), heads = [...document.querySelectorAll("#table thead th")];
  for (const head of heads) if (head.dataset.column) head.setAttribute("aria-sort", sortWord(head.dataset.column, sort));
  const at = heads.findIndex((head) => head.dataset.column === name);
  const body = document.querySelector("#table tbody");
  if (at < 0) { body.append(...shown.map(({ row }) => row)); return; }
  const number = heads[at].dataset.kind === "number", sign = sort.startsWith("-") ? -1 : 1;
  const keyed = shown.map(({ row }) => ({ row, value: row.cells[at].dataset.value }));
  keyed.sort((a, b) => compareValues(a.value, b.value, number, sign));
  body.append(...keyed.map(({ row }) => row));
}

function sortWord(column, sort) {
  if (sort === column) return "ascending";
  return sort === `-${column}` ? "descending" : "none";
}

// What is not there comes last, whichever way is up.
function compareValues(a, b, number, sign) {
  if (a === "" || b === "") return (a === "") - (b === "");
  return sign * (number ? a - b : a.localeCompare(b, "en", { numeric: true }));
}

function pick(name, wanted) {
  if (!wanted) picked.splice(picked.indexOf(name), 1);
  else picked.push(name);
  while (picked.length > 2) box(picked.shift()).checked = false;
  const go = document.getElementById("go-compare");
  go.hidden = picked.length < 2;
  go.href = link({ view: "compare", a: picked[0], b: picked[1] });
  document.getElementById("picked").textContent = picked.length ? `${picked.length} picked for a comparison` : "";
}

function box(name) {
  return document.querySelector(`#table tr[data-run="${CSS.escape(name)}"] input`);
}

// The table of runs: chosen by facets, words and settings, own runs apart, sorted by a column.

function tableRows() {
  const known = JSON.parse(document.getElementById("table").dataset.settings).map((one) => one.toLowerCase());
  return [...document.querySelectorAll("#table tbody tr")].map((row) => {
    const [changed, others] = row.dataset.settings.split("|").map((list) => list.split(" ").filter(Boolean).map((at) => known[at]));
    const names = changed.map((one) => one.split("=")[0]), cells = [...row.cells].map((cell) => cell.textContent);
    return { row, name: row.dataset.run, facets: JSON.parse(row.dataset.facets), settings: [...changed, ...others], text: [...cells, ...names].join(" ").toLowerCase() };
  });
}

function startTable() {
  const rows = tableRows(), form = document.getElementById("filters"), fields = [...form.elements].filter((field) => field.name);
  const show = () => showTable(rows, fields);
  const changed = () => { note({ ...Object.fromEntries(new FormData(form)) }); show(); };
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    note(Object.fromEntries(fields.map((field) => [field.name, ""])));
    form.elements.page.value = "";
    setTimeout(show);
  });
  for (const head of document.querySelectorAll("#table th[data-column]")) {
    head.firstElementChild.addEventListener("click", () => { note({ sort: nextSort(head) }); show(); });
  }
  return { show, rows };
}

// A new column begins with what is large of numbers, with A of words.
function nextSort(head) {
  const { sort = "" } = readAddress(), { column, kind } = head.dataset;
  return sort === `-${column}` || (kind !== "number" && sort !== column) ? column : `-${column}`;
}

function showTable(rows, fields) {
  const words = readAddress();
  for (const field of fields) field.value = words[field.name] ?? "";
  const facets = fields.map((field) => field.name).filter((name) => name !== "q" && words[name]);
  const shown = searchRows(rows, words.q ?? "").filter((row) => facets.every((name) => row.facets[name].includes(words[name])));
  for (const one of rows) one.row.hidden = true;
  for (const one of shown) one.row.hidden = false;
  sortRows(shown, words.sort ?? "");
  const of = words.page ? ` of ${words.page}` : "", own = shown.filter((one) => one.row.className).length;
  document.getElementById("found").textContent = `${shown.length} of ${rows.length} runs${of}: ${own} own, ${shown.length - own} records`;
}

// Runs that fit every term: a beginning of a word in the table or in the name of a setting that is not the default, or
// a setting with its value, as `lr=0.003` or `width 32`.
function searchRows(rows, query) {
  const terms = query.toLowerCase().replace(/([a-z_]) +(?=[\d.]+( |$))/g, "$1=").split(/[\s·]+/).filter(Boolean);
  const tests = terms.map((term) => {
    const [name, value] = [term.replace(/=.*/, ""), term.slice(term.indexOf("=") + 1)];
    if (!term.includes("=") || !value) return begins(name);
    const said = begins(`${name} ${value}`);
    return (row) => row.settings.some((one) => isSetting(one, name, value)) || said(row);
  });
  return rows.filter((row) => tests.every((test) => test(row)));
}

// A number is meant as it is, not as the beginning of a longer one, but for that of a run's id.
function begins(words) {
  const found = new RegExp(`(^|[^a-z0-9])${words.replace(/[^a-z0-9 ]/g, "\\$&")}${/\d$/.test(words) ? "(?!\\.?\\d)" : ""}`);
  return (row) => found.test(row.text) || (words.length > 5 && row.name.startsWith(words));
}

function isSetting(setting, name, value) {
  const at = setting.indexOf("="), key = setting.slice(0, at), held = setting.slice(at + 1);
  return (key === name || key.endsWith(`.${name}`)) && (held === value || Number(held) === Number(value));
}

function sortRows(shown, sort) {
  const name = sort.replace(/^-/, ""), heads = [...document.querySelectorAll("#table thead th")];
  for (const head of heads) if (head.dataset.column) head.setAttribute("aria-sort", head.dataset.column !== name ? "none" : sort === name ? "ascending" : "descending");
  const at = heads.findIndex((head) => head.dataset.column === name);
  const number = heads[at]?.dataset.kind === "number", sign = sort.startsWith("-") ? -1 : 1;
  const keyed = shown.map(({ row }) => ({ row, value: row.cells[at]?.dataset.value ?? "" }));
  keyed.sort((a, b) => (b.row.className === "own") - (a.row.className === "own") || compareValues(a.value, b.value, number, sign));
  document.querySelector("#table tbody").append(...keyed.map(({ row }) => row));
}

// Own runs come first, what is not there last, whichever way is up.
function compareValues(a, b, number, sign) {
  if (a === "" || b === "") return (a === "") - (b === "");
  return sign * (number ? a - b : a.localeCompare(b, "en", { numeric: true }));
}

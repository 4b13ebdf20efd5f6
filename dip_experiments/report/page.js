// The page as a whole: which view the address asks for, the theme, and how long it took until it could be used.

const VIEWS = { figures: showFigures, runs: showRuns, run: showRun, compare: showComparison };
const THEMES = ["system", "light", "dark"];
let table;

async function showView(moved) {
  const words = readAddress(), view = words.view in VIEWS ? words.view : "figures";
  for (const name of Object.keys(VIEWS)) document.getElementById(name).hidden = name !== view;
  for (const anchor of document.querySelectorAll("nav [data-view]")) {
    if (anchor.dataset.view === (view === "run" ? "runs" : view)) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  const section = document.getElementById(view);
  try {
    await VIEWS[view](section, words);
  } catch (error) {
    section.replaceChildren(element("h1", { tabindex: -1 }, "Not there"), element("p", {}, error.message));
  }
  document.title = `${section.querySelector("h1").textContent}: Deep Image Prior`;
  if (moved && !words.page) {
    scrollTo(0, 0);
    section.querySelector("h1").focus({ preventScroll: true });
  }
}

function showFigures(section, words) {
  const plate = words.page && document.getElementById(`page-${words.page}`);
  if (plate) {
    plate.scrollIntoView();
    plate.focus({ preventScroll: true });
  }
}

function showRuns() {
  table.show();
}

// The theme is the system's until another is chosen; the choice is kept where the browser keeps anything for a file.
function startTheme() {
  const button = document.getElementById("theme");
  const wear = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  const redraw = () => ["run", "compare"].includes(readAddress().view) && showView(false);
  wear(THEMES.includes(remembered()) ? remembered() : "system");
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    wear(next);
    try { localStorage.setItem("dip-theme", next); } catch { /* a browser that keeps nothing */ }
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

function remembered() {
  try { return localStorage.getItem("dip-theme"); } catch { return null; }
}

function start() {
  startTheme();
  table = startTable();
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  addEventListener("hashchange", () => showView(true));
  showView(false);
  requestAnimationFrame(() => setTimeout(() => {
    const taken = Math.round(performance.now());
    document.documentElement.dataset.ready = taken;
    document.getElementById("ready").textContent = `${table.rows.length} runs were there after ${taken} ms.`;
  }));
}

start();

// The page as a whole: which view the address asks for, and how long it took until it could be used.

const VIEWS = { figures: showFigures, runs: () => table.show(), run: showRun, compare: showComparison };
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
    plate.closest("details")?.setAttribute("open", "");
    plate.scrollIntoView();
    plate.focus({ preventScroll: true });
  }
}

function start() {
  table = startTable();
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  addEventListener("hashchange", () => showView(true));
  showView(false);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => ["run", "compare"].includes(readAddress().view) && showView(false));
  requestAnimationFrame(() => setTimeout(() => { document.documentElement.dataset.ready = Math.round(performance.now()); }));
}

start();

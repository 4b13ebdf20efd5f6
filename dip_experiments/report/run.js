// One run: fetched by a script of its own when it is looked at, as a page from the disk can load nothing else.

const arrived = new Map(), asked = new Map();

window.dipRun = (run) => arrived.set(run.run, run);

// Only runs of the table are asked for, whatever the address says.
function loadRun(name) {
  if (!document.querySelector(`#table tr[data-run="${CSS.escape(name)}"]`)) return Promise.reject(new Error(`There is no run ${name} in this report.`));
  if (!asked.has(name)) asked.set(name, new Promise((done, failed) => {
    const script = element("script", { src: `assets/runs/${encodeURIComponent(name)}.js` });
    const lost = () => failed(new Error(`assets/runs/${name}.js is missing: the report's folder was taken apart. Write it again: make report`));
    script.addEventListener("load", () => (arrived.has(name) ? done(arrived.get(name)) : lost()));
    script.addEventListener("error", lost);
    document.head.append(script);
  }));
  return asked.get(name);
}

async function showRun(section, words) {
  const run = await loadRun(words.run ?? "");
  const shown = pictureBlock([run]);
  const curves = curveBlock([run], shown.moveTo);
  const rest = element("div", { class: "sections" });
  rest.innerHTML = run.html; // made by the page's templates, which escape what users typed
  section.replaceChildren(
    element("p", { class: "crumbs" }, element("a", { href: link({ view: "runs" }) }, "Runs"), ` / ${run.run}`),
    element("h1", { tabindex: -1 }, run.title),
    element("dl", { class: "facts" }, ...FACTS.filter((name) => run.numbers[name]).map((name) => element("div", {}, element("dt", {}, name), element("dd", {}, run.numbers[name])))),
    element("p", {}, element("a", { href: link({ view: "compare", a: run.run }), class: "button" }, "Compare with another run")),
    curves.block, shown.block, rest,
  );
  curves.draw();
}

const FACTS = ["experiment", "task", "image", "architecture", "seeds", "iterations", "final PSNR", "oracle PSNR", "oracle at", "minutes", "precision", "device", "scale", "parameters"];

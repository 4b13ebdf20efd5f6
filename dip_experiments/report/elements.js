// Elements of the page. Text is always set as text: what users typed is never read as HTML.

// element("a", { href: "#" }, "text", other): words that begin with "on" are listeners, true is an empty attribute.
function element(tag, words = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(words)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function chooser(title, choices, value, chosen) {
  const select = element("select", { onchange: () => chosen(select.value) });
  for (const [key, text] of choices) select.append(element("option", { value: key, selected: key === value }, text));
  return element("label", { class: "chooser" }, element("span", {}, title), select);
}

// A button that is pressed or not; `turned` is told which.
function turner(title, pressed, turned) {
  const button = element("button", { type: "button", "aria-pressed": String(pressed) }, title);
  button.addEventListener("click", () => {
    const now = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(now));
    turned(now);
  });
  return button;
}

// A table in a box of its own, which scrolls where the page is narrow. Cells are texts or elements.
function grid(caption, head, rows) {
  const line = (cells) => element("tr", {}, ...cells.map((cell, at) => (
    at ? element("td", {}, cell) : element("th", { scope: "row" }, cell))));
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    element("table", { class: "numbers" },
      element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows.map(line))));
}

// A colour of the style sheet as a canvas understands it, in today's theme.
function colour(name) {
  const probe = element("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function faint(found) {
  return found.replace("rgb(", "rgba(").replace(")", ", 0.18)");
}

"use strict";

// What `tracker report --interactive` adds to a page that is complete without it: the values of curves under the pointer
// or by the arrow keys, and tables that are sorted by their headers. Nothing moves by itself, and its marks aren't printed.
// Names come from other people: text enters the page as text only, never as markup.

function add(parent, name, attributes = {}, words = "") {
  const made = document.createElementNS(parent.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = words;
  return parent.appendChild(made);
}

// Curves. A drawing carries the values as the report writes them, and where its axes are; see `_with_readings` in
// tracker/render/documents.py. Keys move a slider over the drawing, whose value text is what a screen reader says.

const LINES = { training: "dotw", validation: "dot" }; // each with the look of its dots
const STEPS = {
  ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity,
};

let hideReading = () => {}; // hides the one that is shown

function numbers(text) {
  return text.split(",").map(Number);
}

function valueOf(text) {
  const value = Number(text.replace(/^(under|over) /, "").replace("−", "-").replace("%", ""));
  return text.endsWith("%") ? value / 100 : value;
}

function clamp(value, least, most) {
  return Math.max(least, Math.min(most, value));
}

function makeReadable(drawing) {
  const data = drawing.dataset;
  const [left, top, width, height] = numbers(data.area);
  const [first, last, low, high] = numbers(data.limits);
  const epochs = numbers(data.epochs);
  const whole = drawing.viewBox.baseVal;
  const across = (epoch) => ((epoch - first) / (last - first)) * width;
  let at = epochs.indexOf(Number(data.best));
  if (at < 0) at = epochs.length - 1;

  const place = document.createElement("div");
  place.className = "plot";
  drawing.replaceWith(place);
  place.append(drawing);

  const cross = add(drawing, "g", { class: "cross", transform: `translate(${left} ${top})`, "aria-hidden": "true" });
  const rule = add(cross, "line", { class: "axis", y1: 0, y2: height });
  const readout = add(place, "div", { class: "readout", "aria-hidden": "true" });
  readout.style.bottom = `${100 * (1 - top / whole.height)}%`;
  const heading = add(readout, "b");
  const lines = Object.keys(LINES).filter((name) => name in data).map((name) => ({
    name,
    texts: data[name].split(","),
    dot: add(cross, "circle", { class: LINES[name], r: 3 }),
    row: add(readout, "span"),
  }));

  const caption = place.parentElement.querySelector("b");
  const slider = add(place, "div", {
    class: "slider", role: "slider", tabindex: 0, "aria-label": `Epoch: ${caption ? caption.textContent : "curves"}`,
    "aria-valuemin": epochs[0], "aria-valuemax": epochs[epochs.length - 1],
  });
  slider.style.inset = [top, whole.width - left - width, whole.height - top - height, left]
    .map((edge, side) => `${(100 * edge) / (side % 2 ? whole.width : whole.height)}%`).join(" ");

  function move(index) {
    at = index;
    const x = across(epochs[at]);
    heading.textContent = `Epoch ${epochs[at]}`;
    rule.setAttribute("x1", x);
    rule.setAttribute("x2", x);
    for (const { name, texts, dot, row } of lines) {
      const value = valueOf(texts[at]);
      row.textContent = `${name} ${texts[at]}`;
      dot.setAttribute("visibility", value >= low && value <= high ? "inherit" : "hidden"); // hidden if not a number
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", value >= low && value <= high ? ((high - value) / (high - low)) * height : 0);
    }
    slider.setAttribute("aria-valuenow", epochs[at]);
    slider.setAttribute("aria-valuetext", [heading, ...lines.map((line) => line.row)].map((e) => e.textContent).join(", "));
  }

  function hide() {
    place.classList.remove("reading");
  }

  function show(index) {
    hideReading();
    hideReading = hide;
    move(index);
    place.classList.add("reading");
    const middle = ((left + across(epochs[at])) / whole.width) * place.clientWidth;
    const room = place.clientWidth - readout.offsetWidth;
    readout.style.left = `${clamp(middle - readout.offsetWidth / 2, 0, Math.max(0, room))}px`;
  }

  function point(event) {
    const box = drawing.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * whole.width - left;
    const distances = epochs.map((epoch) => Math.abs(across(epoch) - x));
    show(distances.indexOf(Math.min(...distances)));
  }

  place.addEventListener("pointerdown", point);
  place.addEventListener("pointermove", point);
  place.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") hide(); // a finger that was lifted leaves its reading
  });
  slider.addEventListener("focus", () => show(at));
  slider.addEventListener("blur", hide);
  slider.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") hide();
    if (!Object.hasOwn(STEPS, event.key)) return;
    event.preventDefault();
    show(clamp(at + STEPS[event.key], 0, epochs.length - 1));
  });
  move(at);
}

// Tables. A header is a button: the first press sorts ascending, the second descending, the third restores the order.

const BLANK = /^[–—-]?$/;
const DURATION = /^(?:[\d.]+ (?:s|min|h) ?)+$/;
const SECONDS = { s: 1, min: 60, h: 3600 };
const NUMBER = /^(<|under|≤|>|over|≥|≈|about|up to|×)? ?([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?: ?(?:\/|of) ?(\d+))?/;
const NUDGES = { "<": -1, under: -1, ">": 1, over: 1 };
const COLLATOR = new Intl.Collator("en", { numeric: true });
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

function textOf(row, column) {
  return row.cells[column] ? row.cells[column].textContent.replace(/\s+/g, " ").trim() : "";
}

// The number that a cell begins with: `26/30` is a fraction, `1 min 5 s` is 65, `<0.001` is just below 0.001
function numberOf(words) {
  const text = words.replaceAll("−", "-").replace(/(\d),(?=\d{3}(?!\d))/g, "$1");
  if (DURATION.test(text)) {
    return [...text.matchAll(/([\d.]+) (s|min|h)/g)].reduce((sum, [, n, unit]) => sum + Number(n) * SECONDS[unit], 0);
  }
  const [, bound, number, whole] = NUMBER.exec(text) || [];
  if (number === undefined) return NaN;
  return Number(number) / (whole === undefined ? 1 : Number(whole)) + (NUDGES[bound] || 0) * 1e-9;
}

// Blank cells come last in either direction; ascending, numbers come before words.
function order(column, direction) {
  const keys = new Map();
  const keyOf = (row) => {
    if (!keys.has(row)) keys.set(row, { text: textOf(row, column), number: numberOf(textOf(row, column)) });
    return keys.get(row);
  };
  const sign = direction === "descending" ? -1 : 1;
  return (one, other) => {
    const a = keyOf(one);
    const b = keyOf(other);
    if (BLANK.test(a.text) || BLANK.test(b.text)) return BLANK.test(a.text) - BLANK.test(b.text);
    if (Number.isNaN(a.number) !== Number.isNaN(b.number)) return sign * (Number.isNaN(a.number) ? 1 : -1);
    return sign * (a.number - b.number || COLLATOR.compare(a.text, b.text));
  };
}

function makeSortable(table) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  if (original.length < 2) return;
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    if (header.tagName !== "TH") return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const direction = NEXT[header.getAttribute("aria-sort") || "none"];
      for (const each of headers) each.removeAttribute("aria-sort");
      if (direction !== "none") header.setAttribute("aria-sort", direction);
      body.append(...(direction === "none" ? original : [...original].sort(order(column, direction))));
    });
  });
}

for (const drawing of document.querySelectorAll(".drawing[data-epochs]")) makeReadable(drawing);
for (const table of document.querySelectorAll("section:not(#methods) .scroll > table, header .scroll > table")) {
  makeSortable(table);
}
document.addEventListener("pointerdown", (event) => {
  if (!event.target.closest(".plot")) hideReading();
});

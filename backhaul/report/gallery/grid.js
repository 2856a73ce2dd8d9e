// The grid of images, of which only what is in sight is drawn.
"use strict";
const grid = by("grid");
const cards = new Map(); // by place in `chosen`
let columns = 1, cell = { width: 0, height: 0 }, active = 0, waiting = 0;

function layOut() {
  const room = grid.clientWidth;
  const wish = Math.min(Number(by("size").value), room);
  columns = Math.max(1, Math.floor((room + GAP) / (wish + GAP)));
  const width = (room - GAP * (columns - 1)) / columns;
  cell = { width, height: Math.round(width * shape) + WORDS_PX };
  const rows = Math.ceil(chosen.length / columns);
  grid.style.height = `${Math.max(0, rows * (cell.height + GAP) - GAP)}px`;
  for (const card of cards.values()) card.remove();
  cards.clear();
  fill();
}

function fill() {
  waiting = 0;
  const pitch = cell.height + GAP;
  const top = -grid.getBoundingClientRect().top;
  const first = Math.max(0, Math.floor(top / pitch) - OVERSCAN) * columns;
  const last = Math.min(chosen.length, (Math.ceil((top + innerHeight) / pitch) + OVERSCAN) * columns);
  const focused = document.activeElement?.closest?.("#grid li");
  for (const [at, card] of cards)
    if ((at < first || at >= last) && card !== focused) {
      card.remove();
      cards.delete(at);
    }
  for (let at = first; at < last; at += 1) if (!cards.has(at)) add(at);
}

function add(at) {
  const image = chosen[at];
  const card = make("li", { "aria-setsize": chosen.length, "aria-posinset": at + 1 }, cardOf(image, at));
  card.style.width = `${cell.width}px`;
  card.style.height = `${cell.height}px`;
  const row = Math.floor(at / columns), column = at % columns;
  card.style.transform = `translate(${column * (cell.width + GAP)}px, ${row * (cell.height + GAP)}px)`;
  cards.set(at, card);
  grid.append(card);
}

function cardOf(image, at) {
  const name = image.path.split("/").pop();
  const about = image.labelled ? plural(image.objects.length, "object") : "not labelled";
  const where = [content.parts[image.part], content.groups[image.group]].filter(Boolean);
  const view = make("span", { class: "view" }, pictureOf(image), overlay(image));
  if (image.problems.length) {
    const word = SEVERITY[image.worst];
    view.append(make("span", { class: `badge ${word}` }, plural(image.problems.length, word === "note" ? "note" : "problem")));
  }
  if (image.sent.length) view.append(make("span", { class: "badge sent" }, "sent"));
  const facts = [about, ...where].join(" · ");
  const button = make(
    "button",
    { type: "button", class: "card", tabindex: at === active ? 0 : -1, title: image.path, "aria-label": [name, facts, image.problems.length ? plural(image.problems.length, "problem") : "", image.sent.length ? "sent" : ""].filter(Boolean).join(", ") },
    view,
    make("span", { class: "words" }, make("span", {}, name), make("span", { class: "about" }, facts)),
  );
  button.addEventListener("click", () => show(at));
  button.addEventListener("focus", () => setActive(at));
  return button;
}

function pictureOf(image) {
  if (!image.thumbnail) return make("span", { class: "gone" }, "no picture");
  return make("img", { src: `thumbnails/${image.thumbnail}`, alt: "", decoding: "async", loading: "lazy" });
}

function drawing({ width, height }, ...children) {
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "xMidYMid meet", "aria-hidden": "true" }, ...children);
}

// The objects of a class are one shape on a thumbnail: some images have thousands.
function overlay(image) {
  const classes = [...image.classes].sort((a, b) => a - b);
  return drawing(image, ...classes.map((c) => shapeOf(image.objects.filter((o) => o.c === c), image)));
}

function shapeOf(objects, { width, height }) {
  const px = (v, side) => +((v * side) / STEPS).toFixed(1);
  const boxes = objects.map((o) => `M${px(o.x, width)} ${px(o.y, height)}h${px(o.w, width)}v${px(o.h, height)}h${-px(o.w, width)}z`).join("");
  const corners = (o) => o.outline.map((v, i) => px(v, i % 2 ? height : width)).join(" ");
  const outlines = objects.filter((o) => o.outline).map((o) => `M${corners(o)}z`).join("");
  const shape = draw("g", {}, draw("path", { class: "halo", d: boxes }), draw("path", { class: "line", d: boxes }));
  if (outlines) shape.append(draw("path", { class: "line outline", d: outlines }));
  shape.style.setProperty("--of", colour(objects[0].c));
  return shape;
}

const soon = () => (waiting ||= requestAnimationFrame(fill));
addEventListener("scroll", soon, { passive: true });
new ResizeObserver(() => layOut()).observe(document.querySelector("main"));
by("size").addEventListener("input", layOut);

function setActive(at) {
  cards.get(active)?.firstChild.setAttribute("tabindex", -1);
  active = at;
  cards.get(active)?.firstChild.setAttribute("tabindex", 0);
}

function focusOn(at) {
  if (at < 0 || at >= chosen.length) return;
  const row = Math.floor(at / columns) * (cell.height + GAP);
  const top = grid.getBoundingClientRect().top + row;
  const hidden = by("tools").getBoundingClientRect().bottom + GAP;
  if (top < hidden) scrollBy(0, top - hidden);
  else if (top + cell.height > innerHeight) scrollBy(0, top + cell.height + GAP - innerHeight);
  if (!cards.has(at)) add(at);
  setActive(at);
  cards.get(at).firstChild.focus({ preventScroll: true });
  soon();
}

grid.addEventListener("keydown", (event) => {
  const page = Math.max(1, Math.floor(innerHeight / (cell.height + GAP))) * columns;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, PageDown: page, PageUp: -page };
  const places = { Home: 0, End: chosen.length - 1 };
  let to = places[event.key];
  if (event.key in steps) to = Math.min(Math.max(active + steps[event.key], 0), chosen.length - 1);
  if (to === undefined) return;
  event.preventDefault();
  focusOn(to);
});

"use strict";
(() => {
  const STEPS = 10000;
  const GAP = 12;
  const WORDS_PX = 50; // what is written below a thumbnail
  const OVERSCAN = 2; // rows drawn above and below those in sight
  const FEW = 25; // objects of an image that all have their class written on it
  const MOST = 2000; // objects that are drawn of an image that is shown large
  const CHIPS = 24;
  const COLOURS = ["#38bdf8", "#fb923c", "#4ade80", "#f472b6", "#facc15", "#a78bfa", "#2dd4bf", "#f87171", "#a3e635", "#e879f9"];
  const SEVERITY = ["error", "warning", "note"];
  const content = JSON.parse(document.getElementById("content").textContent);
  const by = (id) => document.getElementById(id);
  const colour = (c) => COLOURS[c] ?? `hsl(${(c * 137.508) % 360} 85% 66%)`;
  const className = (c) => content.classes[c] ?? `class ${c}`;

  const images = content.images.map((row, at) => {
    const [path, thumbnail, width, height, bytes, flat, outlines, group, part, sent, problems] = row;
    const objects = [];
    for (let i = 0; flat && i < flat.length; i += 5) {
      const [c, x, y, w, h] = flat.slice(i, i + 5);
      const px = [(w * width) / STEPS, (h * height) / STEPS];
      objects.push({ c, x, y, w, h, px, outline: outlines[i / 5] });
    }
    const sides = objects.map((o) => Math.min(...o.px));
    return {
      at, path, thumbnail, width, height, bytes, objects, group, part, sent, problems,
      labelled: flat !== null,
      classes: new Set(objects.map((o) => o.c)),
      smallest: sides.length ? Math.min(...sides) : Infinity,
      largest: objects.length ? Math.max(...objects.map((o) => o.px[0] * o.px[1])) : 0,
      worst: problems.length ? Math.min(...problems.map((p) => SEVERITY.indexOf(p[0]))) : SEVERITY.length,
      text: [path, content.groups[group] ?? "", ...problems.map((p) => p.join(" "))].join("\n").toLowerCase(),
    };
  });

  const shapes = images.map((i) => i.height / i.width).sort((a, b) => a - b);
  const shape = Math.min(Math.max(shapes[shapes.length >> 1] ?? 0.75, 0.5), 1.2); // of most images

  const number = (n) => n.toLocaleString("en");
  const plural = (n, word) => `${number(n)} ${word}${n === 1 ? "" : "s"}`;
  function size(bytes) {
    for (const unit of ["B", "kB", "MB", "GB"]) {
      if (bytes < 999.5) return `${Number(bytes.toPrecision(3))} ${unit}`;
      bytes /= 1000;
    }
    return `${Number(bytes.toPrecision(3))} TB`;
  }

  // Text from the data enters the page as text alone: nothing here parses HTML.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }
  function draw(tag, attributes, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // ---- which images, in which order

  const all = () => true;
  const filters = {
    class: [["any class", all]],
    part: [["any part", all]],
    sent: [["any or none", all]],
    problem: [["with or without", all]],
    group: [["any group", all]],
    objects: [
      ["any number", all],
      ["none", (i) => i.labelled && !i.objects.length],
      ["not labelled", (i) => !i.labelled],
      ["one or more", (i) => i.objects.length > 0],
      ["10 or more", (i) => i.objects.length >= 10],
      ["one below 8 px", (i) => i.smallest < 8],
      ["one below 16 px", (i) => i.smallest < 16],
      ["one below 32 px", (i) => i.smallest < 32],
      ["one over half the image", (i) => i.largest > (i.width * i.height) / 2],
      ["with outlines", (i) => i.objects.some((o) => o.outline)],
    ],
  };
  const objectsOf = content.classes.map(() => 0);
  const imagesOf = content.classes.map(() => 0);
  for (const image of images) {
    for (const o of image.objects) objectsOf[o.c] = (objectsOf[o.c] ?? 0) + 1;
    for (const c of image.classes) imagesOf[c] = (imagesOf[c] ?? 0) + 1;
  }
  content.classes.forEach((name, c) =>
    filters.class.push([`${name} (${number(imagesOf[c])})`, (i) => i.classes.has(c)]),
  );
  const members = (key, names) => {
    const n = names.map(() => 0);
    for (const image of images) if (image[key] >= 0) n[image[key]] += 1;
    return names.map((name, g) => [`${name} (${number(n[g])})`, (i) => i[key] === g]);
  };
  filters.part.push(...members("part", content.parts));
  filters.group.push(...members("group", content.groups));
  if (content.methods.length) {
    filters.sent.push(["any method", (i) => i.sent.length > 0], ["none", (i) => !i.sent.length]);
    content.methods.forEach((name, m) => {
      const sends = (i) => i.sent.some(([by]) => by === m);
      filters.sent.push([`${name} (${number(images.filter(sends).length)})`, sends]);
    });
  }
  if (images.some((i) => i.problems.length)) {
    const n = (test) => number(images.filter(test).length);
    const any = (i) => i.problems.length > 0;
    filters.problem.push([`with problems (${n(any)})`, any]);
    for (const word of SEVERITY) {
      const has = (i) => i.problems.some((p) => p[0] === word);
      if (images.some(has)) filters.problem.push([`with ${word}s (${n(has)})`, has]);
    }
    filters.problem.push(["without problems", (i) => !any(i)]);
  }

  const down = (key) => (a, b) => key(b) - key(a);
  const up = (key) => (a, b) => key(a) - key(b);
  const sorts = [
    [content.parts.length ? "batch and path" : "path", () => 0],
    ["worst problem", up((i) => i.worst)],
    ["most objects", down((i) => i.objects.length)],
    ["fewest objects", up((i) => i.objects.length)],
    ["smallest object", up((i) => i.smallest)],
    ["largest object", down((i) => i.largest / (i.width * i.height))],
    ["largest file", down((i) => i.bytes)],
    ["smallest file", up((i) => i.bytes)],
    ["largest image", down((i) => i.width * i.height)],
    ["smallest image", up((i) => i.width * i.height)],
    ["group", up((i) => (i.group < 0 ? Infinity : i.group))],
  ];

  for (const [name, choices] of Object.entries(filters)) {
    const select = by(name);
    select.append(...choices.map(([word], i) => new Option(word, i)));
    const label = select.closest("[data-for]");
    if (label) label.hidden = choices.length < 2;
    if (label && label.hidden) label.style.display = "none";
    select.addEventListener("change", update);
  }
  by("sort").append(...sorts.map(([word], i) => new Option(word, i)));
  by("sort").addEventListener("change", update);
  by("find").addEventListener("input", update);
  by("reset").addEventListener("click", () => {
    for (const name of [...Object.keys(filters), "sort"]) by(name).value = 0;
    by("find").value = "";
    update();
  });
  by("boxes").addEventListener("change", () => document.body.classList.toggle("plain", !by("boxes").checked));

  const chips = content.classes.slice(0, CHIPS).map((name, c) => {
    const chip = make(
      "button",
      { type: "button", "aria-pressed": "false", title: `${name}: ${plural(objectsOf[c], "object")} in ${plural(imagesOf[c], "image")}` },
      make("i", { class: "swatch" }),
      make("span", { class: "name" }, name),
      make("span", { class: "of" }, number(objectsOf[c])),
    );
    chip.style.setProperty("--of", colour(c));
    chip.addEventListener("click", () => {
      by("class").value = by("class").value === String(c + 1) ? 0 : c + 1;
      update();
    });
    return chip;
  });
  by("legend").append(...chips);

  let chosen = images;
  function update() {
    const tests = Object.entries(filters).map(([name, choices]) => choices[by(name).value][1]);
    const words = by("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const order = sorts[by("sort").value][1];
    chosen = images.filter((i) => tests.every((t) => t(i)) && words.every((w) => i.text.includes(w)));
    chosen.sort((a, b) => order(a, b) || a.at - b.at);
    const n = chosen.reduce((sum, i) => sum + i.objects.length, 0);
    by("count").textContent = `${number(chosen.length)} of ${plural(images.length, "image")}, ${plural(n, "object")}`;
    by("nothing").hidden = chosen.length > 0;
    chips.forEach((chip, c) => chip.setAttribute("aria-pressed", by("class").value === String(c + 1)));
    active = 0;
    if (scrollY > grid.offsetTop) scrollTo(0, grid.offsetTop - by("tools").offsetHeight);
    layOut();
  }

  // ---- the grid, of which only what is in sight is drawn

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

  // ---- one image, large

  const dialog = by("large");
  let shown = 0;

  function show(at) {
    if (at < 0 || at >= chosen.length) return;
    shown = at;
    const image = chosen[at];
    by("large-name").textContent = image.path;
    const frame = by("frame");
    frame.style.setProperty("--ratio", image.width / image.height);
    frame.classList.toggle("few", image.objects.length <= FEW);
    const objects = image.objects.slice(0, MOST);
    const tags = objects.map(tagOf);
    const shapes = objects.map((object) => shapeOf([object], image));
    const picture = pictureOf(image);
    frame.replaceChildren(picture, drawing(image, ...shapes), ...tags);
    by("facts").replaceChildren(...factsOf(image, shapes, tags));
    by("previous").disabled = at === 0;
    by("next").disabled = at === chosen.length - 1;
    if (!dialog.open) dialog.showModal();
    document.querySelector(".facts").scrollTop = 0;
    original(image, picture);
  }

  function tagOf(object) {
    const tag = make("span", { class: "tag" }, className(object.c));
    tag.style.setProperty("--of", colour(object.c));
    const right = object.x > STEPS * 0.75;
    tag.style.left = `${((right ? object.x + object.w : object.x) / STEPS) * 100}%`;
    tag.style.top = `${(object.y / STEPS) * 100}%`;
    tag.classList.toggle("inside", object.y < STEPS * 0.04);
    tag.classList.toggle("far", right);
    return tag;
  }

  // The image itself takes the place of its thumbnail, where it is on this disk.
  function original(image, picture) {
    const address = addressOf(image.path);
    if (!address || picture.tagName !== "IMG") return;
    const whole = new Image();
    whole.onload = () => { if (picture.isConnected) picture.src = whole.src; };
    whole.src = address;
  }

  function addressOf(path) {
    if (!content.root || path.includes("://")) return "";
    try {
      const encoded = path.split("/").map(encodeURIComponent).join("/");
      return path.startsWith("/") ? `file://${encoded}` : content.root + encoded;
    } catch {
      return ""; // a name that is not Unicode
    }
  }

  function factsOf(image, shapes, tags) {
    const facts = make("dl");
    const fact = (name, text) => facts.append(make("dt", {}, name), make("dd", {}, text));
    fact("image", `${number(image.width)} × ${number(image.height)} px, ${size(image.bytes)}`);
    fact("labels", image.labelled ? plural(image.objects.length, "object") : "not labelled");
    if (image.group >= 0) fact("group", content.groups[image.group]);
    if (image.part >= 0) fact("part", content.parts[image.part]);
    const parts = [facts];
    if (content.methods.length) {
      const sent = image.sent.map(([m, why]) => make("li", {}, why ? `${content.methods[m]}: ${why}` : content.methods[m]));
      parts.push(make("h3", {}, "Sent by"), sent.length ? make("ul", {}, ...sent) : make("p", { class: "empty" }, "no method"));
    }
    if (image.problems.length) {
      const problems = image.problems.map(([word, place, reason]) =>
        make("li", { class: `problem ${word}` }, make("strong", {}, word), reason, make("br"), make("span", { class: "note" }, place)),
      );
      parts.push(make("h3", {}, "Problems"), make("ul", {}, ...problems));
    }
    if (image.objects.length) {
      const rows = shapes.map((_, i) => make("li", {}, objectRow(image.objects[i], shapes, tags, i)));
      const more = image.objects.length - rows.length;
      parts.push(make("h3", {}, "Objects"), make("ul", {}, ...rows));
      if (more) parts.push(make("p", { class: "note" }, `${number(more)} more are not drawn`));
    }
    return parts;
  }

  function objectRow(object, shapes, tags, at) {
    const sides = object.px.map((v) => number(Math.round(v))).join(" × ");
    const row = make("button", { type: "button", class: "object" }, make("i", { class: "swatch" }), make("span", {}, className(object.c)), make("span", { class: "of" }, `${sides} px`));
    row.style.setProperty("--of", colour(object.c));
    const mark = (on) => {
      shapes.forEach((shape, i) => {
        shape.classList.toggle("on", on && i === at);
        shape.classList.toggle("off", on && i !== at);
      });
      tags.forEach((tag, i) => tag.classList.toggle("on", on && i === at));
    };
    for (const [event, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]])
      row.addEventListener(event, () => mark(on));
    return row;
  }

  by("previous").addEventListener("click", () => show(shown - 1));
  by("next").addEventListener("click", () => show(shown + 1));
  by("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => focusOn(shown));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches?.("input[type=search], select");
    if (event.key === "b" && !typing) by("boxes").click();
    if (event.key === "/" && !typing && !dialog.open) {
      event.preventDefault();
      by("find").focus();
    }
    if (!dialog.open) return;
    if (event.key === "ArrowLeft") show(shown - 1);
    if (event.key === "ArrowRight") show(shown + 1);
  });

  if (innerWidth < 600) by("size").value = 160; // two beside one another on a phone
  update();
})();

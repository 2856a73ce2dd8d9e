// Which images are chosen, and in which order they come.
"use strict";
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

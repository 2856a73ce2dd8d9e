// What the page shows, and how it is put into elements.
"use strict";
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

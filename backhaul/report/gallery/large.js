// One image, large.
"use strict";
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

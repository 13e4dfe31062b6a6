"use strict";
// Charts: lines over the training steps, with a cursor for the mouse, the finger and the arrow keys.
const charts = JSON.parse(document.getElementById("charts").textContent);
const slides = JSON.parse(document.getElementById("slides").textContent);
const colour = (i) => `var(--c${i % 6})`;
const text = (value) => (Math.abs(value) >= 1e4 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4))));

function element(name, attributes, parent) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (parent) parent.append(made);
  return made;
}

function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

class Chart {
  constructor(figure) {
    this.chart = charts[figure.dataset.index][Number(figure.dataset.number)];
    this.plot = figure.querySelector(".plot");
    this.reading = figure.querySelector(".reading");
    this.hidden = new Set();
    this.cursor = null;
    const legend = figure.querySelector(".legend");
    this.chart.series.forEach((line, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      const swatch = document.createElement("i");
      swatch.style.background = colour(i);
      button.append(swatch, line.name);
      button.addEventListener("click", () => {
        this.hidden.has(i) ? this.hidden.delete(i) : this.hidden.add(i);
        button.setAttribute("aria-pressed", String(!this.hidden.has(i)));
        this.draw();
      });
      legend.append(button);
    });
    this.steps = [...new Set(this.chart.series.flatMap((line) => line.points.map((p) => p[0])))].sort((a, b) => a - b);
    this.plot.addEventListener("pointermove", (event) => this.pointAt(event.clientX));
    this.plot.addEventListener("pointerdown", (event) => this.pointAt(event.clientX));
    this.plot.addEventListener("pointerleave", () => this.point(null));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  lines() {
    return this.chart.series.map((line, i) => ({ ...line, i })).filter((line) => !this.hidden.has(line.i));
  }

  draw() {
    const width = this.plot.clientWidth, height = this.plot.clientHeight;
    const lines = this.lines();
    const values = lines.flatMap((line) => line.points.map((p) => p[1]));
    let low = Math.min(...values), high = Math.max(...values);
    if (!values.length) [low, high] = [0, 1];
    if (low === high) [low, high] = [low - 0.5, high + 0.5];
    const margin = (high - low) * 0.05;
    [low, high] = [low - margin, high + margin];
    const left = 52, right = 12, top = 8, bottom = 24;
    const first = this.steps[0], last = this.steps[this.steps.length - 1];
    this.x = (step) => left + ((step - first) / (last - first || 1)) * (width - left - right);
    this.y = (value) => top + ((high - value) / (high - low)) * (height - top - bottom);
    const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    for (const value of ticks(low, high, 4)) {
      element("line", { class: "grid", x1: left, x2: width - right, y1: this.y(value), y2: this.y(value) }, svg);
      element("text", { x: left - 6, y: this.y(value) + 4, "text-anchor": "end" }, svg).textContent = text(value);
    }
    for (const step of ticks(first, last, Math.max(2, Math.floor(width / 110)))) {
      const anchor = this.x(step) > width - 30 ? "end" : "middle";
      const place = anchor === "end" ? width - 2 : this.x(step);
      element("text", { x: place, y: height - 6, "text-anchor": anchor }, svg).textContent = text(step);
    }
    for (const mark of this.chart.marks) {
      if (mark.x < first || mark.x > last) continue;
      const line = element("line", { class: "mark", x1: this.x(mark.x), x2: this.x(mark.x), y1: top, y2: height - bottom }, svg);
      element("title", {}, line).textContent = `step ${mark.x}: ${mark.text}`;
    }
    for (const line of lines) {
      const points = line.points.map((p) => `${this.x(p[0]).toFixed(1)},${this.y(p[1]).toFixed(1)}`).join(" ");
      element("polyline", { class: "curve", points, style: `stroke:${colour(line.i)}` }, svg);
    }
    this.svg = svg;
    this.plot.replaceChildren(svg);
    if (this.cursor !== null) this.point(this.cursor);
  }

  pointAt(clientX) {
    const place = clientX - this.plot.getBoundingClientRect().left;
    const first = this.steps[0], last = this.steps[this.steps.length - 1];
    const share = (place - this.x(first)) / (this.x(last) - this.x(first) || 1);
    this.pointAtStep(first + share * (last - first));
  }

  pointAtStep(step) {
    let best = 0;
    this.steps.forEach((other, i) => {
      if (Math.abs(other - step) < Math.abs(this.steps[best] - step)) best = i;
    });
    this.point(best);
  }

  key(event) {
    const end = this.steps.length - 1;
    const now = this.cursor === null ? end : this.cursor;
    const moves = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: end, Escape: null };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const next = moves[event.key];
    this.point(next === null ? null : Math.min(end, Math.max(0, next)));
  }

  point(i) {
    this.cursor = i;
    if (!this.svg) return; // drawn once the page has a size
    this.svg.querySelectorAll(".cursor, .dot").forEach((old) => old.remove());
    if (i === null) {
      this.reading.textContent = "\u00a0";
      return;
    }
    const step = this.steps[i], x = this.x(step);
    element("line", { class: "cursor", x1: x, x2: x, y1: 8, y2: this.plot.clientHeight - 24 }, this.svg);
    const said = [`step ${step.toLocaleString("en")}`];
    for (const line of this.lines()) {
      const found = line.points.find((p) => p[0] === step);
      if (!found) continue;
      element("circle", { class: "dot", cx: x, cy: this.y(found[1]), r: 3.5, style: `fill:${colour(line.i)}` }, this.svg);
      said.push(`${line.name} ${text(found[1])}`);
    }
    this.reading.textContent = said.join(" · ");
  }
}

const drawn = new Map([...document.querySelectorAll(".chart")].map((figure) => [figure, new Chart(figure)]));

// Sliders: the sample grid of each step, and the same step in the chart below; Play runs through them.
document.querySelectorAll(".slider").forEach((slider) => {
  const frames = slides[slider.dataset.index];
  const image = slider.querySelector("img"), range = slider.querySelector("input");
  const output = slider.querySelector("output"), play = slider.querySelector(".play");
  const chart = drawn.get(slider.querySelector(".chart"));
  let timer = null;
  const show = () => {
    const frame = frames[Number(range.value)];
    image.src = frame.uri;
    image.width = frame.width;
    image.height = frame.height;
    image.alt = `sample grid at step ${frame.step}`;
    output.textContent = frame.step;
    range.setAttribute("aria-valuetext", `step ${frame.step}`);
    if (chart) chart.pointAtStep(frame.step);
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  };
  range.addEventListener("input", () => {
    stop();
    show();
  });
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (Number(range.value) === frames.length - 1) range.value = "0";
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    show();
    timer = setInterval(() => {
      range.value = String(Number(range.value) + 1);
      show();
      if (Number(range.value) === frames.length - 1) stop();
    }, 250);
  });
  show();
});

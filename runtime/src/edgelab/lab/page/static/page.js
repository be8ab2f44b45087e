// The page of HTTP devices. The server decides what is stale and says so in words; here it is only drawn.

import { ago, at, make, MARKS, now, Rows, set, summarize, trouble, write } from "./live.js";

const PAST = 300; // seconds of history that a sparkline spans, as wide as its viewBox
const HEIGHT = 44;
const WORDS = { live: "live", failing: "failing", stale: "stale", waiting: "waiting", unplugged: "unplugged" };

let head = null;

const title = (row) => (row.device ? `Device ${row.device}` : row.url ? "Other device" : row.instance);

// The line breaks where readings are missing for more than two intervals.
function path(points, x, y, broken) {
  return points.map(([when, value], i) => `${i && !broken(points[i - 1][0], when) ? "L" : "M"}${x(when)} ${y(value)}`).join("");
}

function drawPast(row, element) {
  const from = now() - PAST;
  const points = row.history.filter(([when]) => when >= from);
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (when) => (when - from).toFixed(1);
  const y = (value) => (high > low ? 4 + ((high - value) / (high - low)) * (HEIGHT - 8) : HEIGHT / 2).toFixed(1);
  const line = path(points, x, y, (before, after) => after - before > 2.5 * head.interval);
  const spark = element.querySelector(".spark");
  const areas = line.split("M").filter(Boolean).map((part) => {
    const [first, last] = [part, part.slice(part.lastIndexOf("L") + 1)].map((text) => text.split(" ")[0]);
    return `M${first} ${HEIGHT}L${part}L${last} ${HEIGHT}z`;
  });
  set(spark.querySelector(".line"), "d", line);
  set(spark.querySelector(".area"), "d", areas.join(""));
  const end = points.at(-1);
  set(spark.querySelector(".end"), "d", end ? `M${x(end[0])} ${y(end[1])}h.01` : "");
  write(element.querySelector(".high"), points.length ? high.toFixed(2) : "");
  write(element.querySelector(".low"), high > low ? low.toFixed(2) : "");
  const range = points.length ? `from ${low.toFixed(2)} to ${high.toFixed(2)}` : "none";
  set(spark, "aria-label", `Values of the last 5 minutes: ${range}`);
  spark.toggleAttribute("hidden", !points.length);
}

function drawSlots(slots, element) {
  const used = slots ? Object.entries(slots.used) : [];
  const busy = used.reduce((sum, [, count]) => sum + count, 0);
  const marks = slots ? [...Array(busy).fill("used"), ...Array(slots.free).fill("free")].slice(0, 20) : [];
  const users = used.map(([node, count]) => (count > 1 ? `${node} ×${count}` : node));
  const words = slots ? [...users, `${slots.free} free`].join(", ") : "";
  if (element.textContent === words && element.children.length === marks.length + 1) return;
  element.replaceChildren(...marks.map((kind) => make("i", kind)), make("span", "", words));
}

function drawBrokers(brokers, list) {
  list.replaceChildren(...brokers.map((broker) => {
    const item = make("li");
    const where = [broker.phase, broker.node && `on ${broker.node}`].filter(Boolean).join(" ");
    item.append(make("span", "name", broker.name), make("span", "where", where));
    return item;
  }));
}

function drawSwitch(row, element) {
  const cell = element.querySelector(".plug");
  const button = cell.querySelector("button");
  const known = row.plugged !== null;
  button.hidden = !known;
  write(cell.querySelector(".word"), known ? (row.plugged ? "On" : "Off") : "");
  set(button, "aria-checked", String(Boolean(row.plugged)));
  set(button, "aria-label", `${title(row)} plugged in`);
  set(button, "aria-disabled", String(Boolean(head.control)));
  button.dataset.device = row.device;
}

function drawAge(row, element) {
  write(element.querySelector(".age"), row.at === null ? "" : ago(now() - row.at));
}

function draw(row, element) {
  element.dataset.state = row.state;
  element.dataset.url = row.url;
  write(element.querySelector(".device .name"), title(row));
  const link = element.querySelector(".url");
  write(link, row.url.replace(/^https?:\/\//, "").replace(/\/$/, ""));
  if (/^https?:\/\//.test(row.url)) set(link, "href", row.url);
  write(element.querySelector(".value"), row.value === null ? "" : row.value.toFixed(2));
  write(element.querySelector(".said"), row.said);
  set(element.querySelector(".mark"), "d", MARKS[row.state]);
  drawAge(row, element);
  drawPast(row, element);
  write(element.querySelector(".instance .name"), row.instance);
  drawSlots(row.slots, element.querySelector(".slots"));
  drawBrokers(row.brokers, element.querySelector(".brokers ul"));
  drawSwitch(row, element);
  for (const [name, full] of [["past", row.history.length], ["instance", row.instance], ["brokers", row.brokers.length]]) {
    element.querySelector(`td.${name}`).classList.toggle("bare", !full);
  }
}

function drawHead(told) {
  const redraw = head && head.control !== told.control;
  head = told;
  if (redraw) rows.shown.forEach(({ row, element }) => drawSwitch(row, element));
  write(at("configuration"), head.configuration);
  write(at("namespace"), head.namespace);
  write(at("patience"), String(2 * head.interval));
  trouble("control", head.control && `Devices cannot be plugged or unplugged. ${head.control}`);
  trouble("limit", head.limit);
}

function drawSummary(all) {
  summarize(all, WORDS);
  write(at("empty"), "No devices yet: none are discovered, and none are plugged in.");
}

// Announced are devices that come and go, and nothing else: values change all the time.
function newsOf(before, row) {
  if (before.plugged === row.plugged) return [];
  return [`${title(row)} ${row.plugged ? "plugged in" : "unplugged"}`];
}

const rows = new Rows({ head: drawHead, draw, title, newsOf, drawn: drawSummary });

async function toggle(button) {
  const plugged = button.getAttribute("aria-checked") !== "true";
  const device = button.dataset.device;
  try {
    const answer = await fetch(`devices/${encodeURIComponent(device)}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ plugged }),
    });
    trouble("plug", answer.ok ? "" : (await answer.text()).trim());
  } catch (error) {
    trouble("plug", `Device ${device} was not asked: ${error.message}`);
  }
}

at("rows").addEventListener("click", (event) => {
  const button = event.target.closest("[role=switch]");
  if (button && button.getAttribute("aria-disabled") !== "true") toggle(button);
});

setInterval(() => {
  for (const { row, element } of rows.shown.values()) {
    drawAge(row, element);
    drawPast(row, element);
  }
}, 1000);

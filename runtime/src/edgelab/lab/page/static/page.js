// Shows what /events tells. The server decides what is stale and says so in words; here it is only drawn.

const PAST = 300; // seconds of history that a sparkline spans, as wide as its viewBox
const HEIGHT = 44;
const MARKS = {
  live: "M6 3a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  failing: "M2 2l8 8M10 2l-8 8",
  stale: "M6 2v4.5l3 2M6 1a5 5 0 1 0 0 10 5 5 0 0 0 0-10z",
  waiting: "M2 6h.01M6 6h.01M10 6h.01",
  unplugged: "M2 6h8",
};
const WORDS = { live: "live", failing: "failing", stale: "stale", waiting: "waiting", unplugged: "unplugged" };

const at = (id) => document.getElementById(id);
const shown = new Map(); // id of a row -> { row, element }
let head = null;
let ahead = 0; // seconds by which the server's clock is ahead of ours

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

const now = () => Date.now() / 1000 + ahead;
const title = (row) => (row.device ? `Device ${row.device}` : row.url ? "Other device" : row.instance);

function ago(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s ago`;
  return whole < 7200 ? `${Math.round(whole / 60)} min ago` : `${Math.round(whole / 3600)} h ago`;
}

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

function drawHead(rows) {
  write(at("configuration"), head.configuration);
  write(at("namespace"), head.namespace);
  write(at("patience"), String(2 * head.interval));
  const counts = Object.keys(WORDS).map((state) => [state, rows.filter((row) => row.state === state).length]);
  at("summary").replaceChildren(...counts.filter(([, count]) => count).map(([state, count]) => {
    const item = make("li");
    item.append(make("b", "", String(count)), ` ${WORDS[state]}`);
    return item;
  }));
  at("empty").hidden = rows.length > 0;
  write(at("empty"), "No devices yet: none are discovered, and none are plugged in.");
}

const troubles = new Map(); // what is amiss -> in words
function trouble(what, words) {
  if ((troubles.get(what) ?? "") === words) return;
  if (words) troubles.set(what, words);
  else troubles.delete(what);
  at("troubles").replaceChildren(...[...troubles.values()].map((text) => make("li", "", text)));
  at("troubles").hidden = !troubles.size;
}

function drawTroubles() {
  trouble("page", "");
  trouble("api", head.api && `No news from the API server: ${head.api}. This is what was last known; the page goes on when the server is back.`);
  trouble("control", head.control && `Devices cannot be plugged or unplugged. ${head.control}`);
  trouble("limit", head.limit);
}

// Announced are devices that come and go, and nothing else: values change all the time.
function announce(news) {
  if (news.length) write(at("announcements"), `${news.join(". ")}.`);
}

function newsOf(before, row) {
  if (!before || before.plugged === row.plugged) return [];
  return [`${title(row)} ${row.plugged ? "plugged in" : "unplugged"}`];
}

function take(told, isSnapshot) {
  ahead = told.now - Date.now() / 1000;
  const redraw = head?.control !== told.head.control;
  head = told.head;
  const news = [];
  for (const row of told.rows) {
    const known = shown.get(row.id);
    const element = known?.element ?? at("row").content.firstElementChild.cloneNode(true);
    if (!isSnapshot) news.push(...(known ? newsOf(known.row, row) : [`${title(row)} appeared`]));
    shown.set(row.id, { row, element });
    draw(row, element);
  }
  const order = new Set(told.order);
  for (const [id, { row, element }] of shown) {
    if (order.has(id)) continue;
    shown.delete(id);
    element.remove();
    if (!isSnapshot) news.push(`${title(row)} is gone`);
  }
  arrange(told.order);
  if (redraw) shown.forEach(({ row, element }) => drawSwitch(row, element));
  drawHead(told.order.map((id) => shown.get(id).row));
  drawTroubles();
  announce(news);
}

// A row that is in its place is not touched: moving an element would take the focus from it.
function arrange(order) {
  const body = at("rows");
  order.forEach((id, place) => {
    const { element } = shown.get(id);
    if (body.children[place] !== element) body.insertBefore(element, body.children[place] ?? null);
  });
}

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

function connect() {
  const source = new EventSource("events");
  source.addEventListener("snapshot", (event) => take(JSON.parse(event.data), true));
  source.addEventListener("change", (event) => take(JSON.parse(event.data), false));
  source.addEventListener("error", () => {
    trouble("page", "No news from the page's server. This is what was last known; the page goes on when the server is back.");
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  });
}

setInterval(() => {
  for (const { row, element } of shown.values()) {
    drawAge(row, element);
    drawPast(row, element);
  }
}, 1000);

connect();

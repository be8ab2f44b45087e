// The page of cameras. The server decides what is stale and says so in words; here it is only drawn.

import { at, MARKS, now, Rows, set, summarize, trouble, write } from "./live.js";
import { Screen, watch } from "./pictures.js";

const WORDS = { live: "live", stale: "without frames", waiting: "waiting", idle: "not read" };

const screens = new Map(); // id of a camera -> its Screen
const times = new Map(); // id of a camera -> when the frame was that is shown
let watching = null; // what ends the stream of pictures, while there is one
let paused = false;

const title = (row) => `Camera ${row.id}`;

function old(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s ago`;
  if (seconds < 120) return `${Math.round(seconds)} s ago`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
}

function drawAge(row, element) {
  const when = Math.max(row.at ?? 0, times.get(row.id) ?? 0);
  const arrival = row.clock === "arrival" ? ", by its arrival" : "";
  write(element.querySelector(".age"), when ? old(now() - when) + arrival : "none yet");
}

function draw(row, element) {
  const canvas = element.querySelector("canvas");
  if (!screens.has(row.id)) {
    screens.set(row.id, new Screen(canvas, (when) => {
      times.set(row.id, when);
      element.dataset.pictured = "";
    }));
  }
  element.dataset.state = row.state;
  element.dataset.id = row.id;
  set(element.querySelector(".picture"), "href", `cameras/${encodeURIComponent(row.id)}/stream`);
  set(canvas, "aria-label", [title(row), row.node && `on ${row.node}`, row.said].filter(Boolean).join(", "));
  write(element.querySelector(".name"), row.id);
  write(element.querySelector(".node"), row.node ? `on ${row.node}` : "on no node");
  write(element.querySelector(".said"), row.said);
  set(element.querySelector(".mark"), "d", MARKS[row.state]);
  write(element.querySelector(".rate"), row.rate === null ? "–" : `${row.rate.toFixed(1)} frames/s`);
  drawAge(row, element);
}

function drawHead(head) {
  write(at("kind"), head.configurations.length > 1 ? "Configurations" : "Configuration");
  write(at("configurations"), head.configurations.join(", "));
  write(at("namespace"), head.namespace);
  trouble("limit", head.limit);
}

function drawSummary(all) {
  summarize(all, WORDS);
  write(at("empty"), "No cameras yet: none are discovered.");
  // Not before there are screens: the stream begins with pictures that may be the last.
  look();
}

// Announced are cameras that come and go, or cease to give frames, and nothing else: pictures change all the time.
function newsOf(before, row) {
  const was = before.state === "stale";
  const is = row.state === "stale";
  if (was === is || row.state === "idle") return [];
  return [`${title(row)} ${is ? "gives no frames" : "gives frames again"}`];
}

function gone(id) {
  screens.delete(id);
  times.delete(id);
}

// Nobody looks while pictures are paused or the page is hidden.
function look() {
  const wanted = !paused && !document.hidden && screens.size > 0;
  if (wanted && !watching) {
    watching = new AbortController();
    const say = (words) => trouble("pictures", words && `No pictures: ${words}. They go on by themselves.`);
    watch((camera, picture) => screens.get(camera)?.show(picture), say, watching.signal);
  } else if (!wanted && watching) {
    watching.abort();
    watching = null;
    trouble("pictures", "");
  }
}

at("pause").addEventListener("click", () => {
  paused = !paused;
  set(at("pause"), "aria-pressed", String(paused));
  look();
});
document.addEventListener("visibilitychange", look);

const rows = new Rows({ head: drawHead, draw, title, newsOf, drawn: drawSummary, gone });
setInterval(() => rows.shown.forEach(({ row, element }) => drawAge(row, element)), 1000);

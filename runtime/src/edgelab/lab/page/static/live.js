// What all pages have in common: rows that follow /events, troubles in words, and news for screen readers.

// What stands before a state in words, drawn in a square of 12.
export const MARKS = {
  live: "M6 3a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  failing: "M2 2l8 8M10 2l-8 8",
  stale: "M6 2v4.5l3 2M6 1a5 5 0 1 0 0 10 5 5 0 0 0 0-10z",
  waiting: "M2 6h.01M6 6h.01M10 6h.01",
  unplugged: "M2 6h8",
  idle: "M4 3v6M8 3v6",
};

export const at = (id) => document.getElementById(id);

export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

let ahead = 0; // seconds by which the server's clock is ahead of ours
export const now = () => Date.now() / 1000 + ahead;

export function ago(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s ago`;
  return whole < 7200 ? `${Math.round(whole / 60)} min ago` : `${Math.round(whole / 3600)} h ago`;
}

const troubles = new Map(); // what is amiss -> in words
export function trouble(what, words) {
  if ((troubles.get(what) ?? "") === words) return;
  if (words) troubles.set(what, words);
  else troubles.delete(what);
  at("troubles").replaceChildren(...[...troubles.values()].map((text) => make("li", "", text)));
  at("troubles").hidden = !troubles.size;
}

// How many rows there are of each state, in the order of `words`, which has a word for each.
export function summarize(rows, words) {
  const counts = Object.keys(words).map((state) => [state, rows.filter((row) => row.state === state).length]);
  at("summary").replaceChildren(...counts.filter(([, count]) => count).map(([state, count]) => {
    const item = make("li");
    item.append(make("b", "", String(count)), ` ${words[state]}`);
    return item;
  }));
  at("empty").hidden = rows.length > 0;
}

// Shows what /events tells in the element `rows`, made of the template `row`. The page's part of it:
// head(head) before any row; draw(row, element); title(row), and newsOf(before, row), which are announced;
// drawn(rows) after all; gone(id), if it keeps anything of a row.
export class Rows {
  shown = new Map(); // id of a row -> { row, element }

  constructor(page) {
    this.page = page;
    this.connect();
  }

  connect() {
    const source = new EventSource("events");
    source.addEventListener("snapshot", (event) => this.take(JSON.parse(event.data), true));
    source.addEventListener("change", (event) => this.take(JSON.parse(event.data), false));
    source.addEventListener("error", () => {
      trouble("page", "No news from the page's server. This is what was last known; the page goes on when the server is back.");
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.connect(), 3000);
    });
  }

  take(told, isSnapshot) {
    ahead = told.now - Date.now() / 1000;
    this.page.head(told.head);
    const news = [...told.rows.flatMap((row) => this.show(row)), ...this.leaveOut(new Set(told.order))];
    this.arrange(told.order);
    this.page.drawn(told.order.map((id) => this.shown.get(id).row));
    trouble("page", "");
    trouble("api", told.head.api && `No news from the API server: ${told.head.api}. This is what was last known; the page goes on when the server is back.`);
    // A page that was just opened is no news.
    if (news.length && !isSnapshot) write(at("announcements"), `${news.join(". ")}.`);
  }

  show(row) {
    const known = this.shown.get(row.id);
    const element = known?.element ?? at("row").content.firstElementChild.cloneNode(true);
    this.shown.set(row.id, { row, element });
    this.page.draw(row, element);
    return known ? this.page.newsOf(known.row, row) : [`${this.page.title(row)} appeared`];
  }

  leaveOut(order) {
    const gone = [...this.shown].filter(([id]) => !order.has(id));
    return gone.map(([id, { row, element }]) => {
      this.shown.delete(id);
      element.remove();
      this.page.gone?.(id);
      return `${this.page.title(row)} is gone`;
    });
  }

  // A row that is in its place is not touched: moving an element would take the focus from it.
  arrange(order) {
    const body = at("rows");
    order.forEach((id, place) => {
      const { element } = this.shown.get(id);
      if (body.children[place] !== element) body.insertBefore(element, body.children[place] ?? null);
    });
  }
}

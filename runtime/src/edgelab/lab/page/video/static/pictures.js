// The cameras' pictures, all in one stream: browsers open only six connections to a server.

const BLANK_LINE = "\r\n\r\n";
const RETRY = 1000; // milliseconds

// Cuts the body of a multipart response, whose parts all have a length, into its parts: calls take(headers, body).
class Parts {
  constructor(take) {
    this.take = take;
    this.bytes = new Uint8Array(0);
    this.headers = null;
  }

  feed(chunk) {
    const bytes = new Uint8Array(this.bytes.length + chunk.length);
    bytes.set(this.bytes);
    bytes.set(chunk, this.bytes.length);
    this.bytes = bytes;
    while (this.headers ? this.readBody() : this.readHeaders());
  }

  readHeaders() {
    const text = String.fromCharCode(...this.bytes.subarray(0, 1000));
    const end = text.indexOf(BLANK_LINE);
    if (end < 0) return false;
    const lines = text.slice(0, end).split("\r\n").filter((line) => line.includes(": "));
    this.headers = new Headers(lines.map((line) => line.split(": ", 2)));
    this.bytes = this.bytes.subarray(end + BLANK_LINE.length);
    return true;
  }

  readBody() {
    const length = Number(this.headers.get("Content-Length"));
    if (this.bytes.length < length) return false;
    this.take(this.headers, this.bytes.slice(0, length));
    this.bytes = this.bytes.subarray(length);
    this.headers = null;
    return true;
  }
}

async function stream(take, signal) {
  const answer = await fetch("cameras/stream", { signal });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  const parts = new Parts((headers, body) => {
    const camera = decodeURIComponent(headers.get("Content-Location").split("/")[2]);
    take(camera, { jpeg: new Blob([body], { type: "image/jpeg" }), at: Number(headers.get("X-Timestamp")) });
  });
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) throw new Error("the stream has ended");
    parts.feed(value);
  }
}

// Calls take(camera, {jpeg, at}) with each picture that comes, and say(words) with what keeps them from coming, until
// the signal aborts it.
export async function watch(take, say, signal) {
  while (!signal.aborted) {
    try {
      await stream((...picture) => {
        say("");
        take(...picture);
      }, signal);
    } catch (error) {
      if (signal.aborted) return;
      // That the server cannot be reached is told by the page's events.
      say(error instanceof TypeError ? "" : error.message);
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
}

// A canvas on which the newest picture is drawn, as fast as they can be; one that cannot be drawn changes nothing.
export class Screen {
  constructor(canvas, drawn) {
    this.canvas = canvas;
    this.context = canvas.getContext("bitmaprenderer");
    this.drawn = drawn;
    this.next = null;
    this.busy = false;
  }

  async show(picture) {
    this.next = picture;
    if (this.busy) return;
    this.busy = true;
    while (this.next) {
      const { jpeg, at } = this.next;
      this.next = null;
      try {
        const bitmap = await createImageBitmap(jpeg);
        if (this.canvas.width !== bitmap.width) this.canvas.width = bitmap.width;
        if (this.canvas.height !== bitmap.height) this.canvas.height = bitmap.height;
        this.context.transferFromImageBitmap(bitmap);
        this.drawn(at);
      } catch {
        // Between a picture's beginning and its end there may be anything.
      }
    }
    this.busy = false;
  }
}

// Follows a video: by server-sent events, and by asking now and then where those don't come.

import { call } from "/static/api.js";

const AGAIN_MS = 2000;

/**
 * Tell the video now and whenever it has changed, until `tell` gives true; `fail` hears of problems,
 * and gives true to end it. A page that nobody sees lets its stream go: a browser has few connections.
 */
export function follow(id, tell, fail) {
  const path = `/videos/${encodeURIComponent(id)}`;
  let stream = null;
  let timer = null;
  let ended = false;

  function rest() {
    stream?.close();
    clearTimeout(timer);
    stream = null;
  }

  function hear(enough) {
    ended ||= enough;
    if (ended) { rest(); document.removeEventListener("visibilitychange", look); }
    return ended;
  }

  /** Ask once, which also renews a login that has run out, and listen from then on. */
  async function ask() {
    try {
      if (hear(tell(await call("GET", path)))) return;
      if (!document.hidden) listen();
    } catch (problem) {
      if (!hear(await fail(problem))) timer = setTimeout(ask, AGAIN_MS);
    }
  }

  function listen() {
    stream = new EventSource(`/api/v1${path}/events`);
    stream.addEventListener("progress", (event) => hear(tell(JSON.parse(event.data))));
    stream.addEventListener("error", () => {
      if (stream?.readyState !== EventSource.CLOSED) return; // it connects again by itself
      rest();
      timer = setTimeout(ask, AGAIN_MS);
    });
  }

  function look() {
    rest();
    if (!document.hidden) ask();
  }

  document.addEventListener("visibilitychange", look);
  ask();
}

import { call, greet, logIn } from "/static/api.js";
import * as words from "/static/words.js";

const at = (id) => document.getElementById(id);
const cards = new Map();
const POLL_MS = 2000;
const IDLE_MS = 10000;
let next; // the last page's, undefined before the first

function makeCard(video) {
  const card = at("card").content.firstElementChild.cloneNode(true);
  for (const link of card.querySelectorAll("a")) link.href = `/watch/${video.id}`;
  card.querySelector(".poster").setAttribute("aria-label", `Watch ${video.title}`);
  card.querySelector(".delete").addEventListener("click", () => remove(video));
  cards.set(video.id, card);
  return card;
}

function show(video) {
  const card = cards.get(video.id);
  const find = (name) => card.querySelector(`.${name}`);
  card.dataset.state = video.state;
  find("title").textContent = video.title;
  find("duration").textContent = video.source ? words.duration(video.source.duration_s) : "";
  const height = Math.max(0, ...video.renditions.filter((r) => r.kind === "video").map((r) => Math.min(r.width, r.height)));
  find("facts").textContent = words.facts(words.when(video.created_at), words.size(video.size_bytes), height && `${height}p`);
  find("state").textContent = video.failure ? video.failure.message : words.state(video);
  const poster = card.querySelector(".poster img");
  if (video.playback.poster && video.visibility !== "private" && !poster.src) {
    poster.addEventListener("load", () => { poster.hidden = false; });
    poster.src = video.playback.poster;
  }
  const bar = card.querySelector("progress");
  bar.hidden = words.ENDED.has(video.state);
  if (video.progress) bar.value = video.progress.percent; else bar.removeAttribute("value");
}

async function load(before) {
  const page = await call("GET", `/videos?limit=24${before ? `&before=${before}` : ""}`);
  const fresh = page.items.filter((video) => !cards.has(video.id)).map(makeCard);
  if (before) at("videos").append(...fresh); else at("videos").prepend(...fresh);
  page.items.forEach(show);
  if (before || next === undefined) next = page.next;
  at("more").hidden = !next;
  at("empty").hidden = cards.size > 0;
  return page.items;
}

async function remove(video) {
  at("ask-title").textContent = video.title;
  at("ask").showModal();
  at("ask").onclose = async () => {
    if (at("ask").returnValue !== "yes") return;
    at("ask").returnValue = "no";
    await tell(() => call("DELETE", `/videos/${video.id}`));
    cards.get(video.id)?.remove();
    cards.delete(video.id);
    at("empty").hidden = cards.size > 0;
  };
}

/** Run something, and show what goes wrong. */
async function tell(action) {
  try {
    const result = await action();
    at("problem").hidden = true;
    return result;
  } catch (problem) {
    if (problem.status === 401) { logIn(); return undefined; }
    at("problem").textContent = problem.message;
    at("problem").hidden = false;
    return undefined;
  }
}

async function poll() {
  const videos = document.hidden ? [] : await tell(() => load());
  const busy = videos?.some((video) => !words.ENDED.has(video.state));
  setTimeout(poll, busy ? POLL_MS : IDLE_MS);
}

at("more").addEventListener("click", () => tell(() => load(next)));
if (await tell(greet) === null) logIn(); else await poll();

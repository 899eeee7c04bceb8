import { call, greet, hasLogin } from "/static/api.js";
import * as choices from "/static/choices.js";
import { follow } from "/static/follow.js";
import * as storyboard from "/static/storyboard.js";
import * as words from "/static/words.js";

const at = (id) => document.getElementById(id);
const video = at("video");
const id = document.querySelector(".watch").dataset.video;
const source = `/v/${encodeURIComponent(id)}/master.m3u8`;
const POLL_MS = 1000;
const STEP_S = 5;

/** Show a sentence over the picture, or take it away. */
function say(text, detail = "") {
  at("wait").hidden = !text;
  at("state").textContent = text;
  at("detail").textContent = detail;
  at("bar").hidden = true;
}

function describe(found) {
  document.title = `${found.title} · NextStream`;
  at("title").textContent = found.title;
  const picture = found.source?.video;
  at("facts").textContent = words.facts(
    words.when(found.created_at), words.size(found.size_bytes),
    found.source && words.duration(found.source.duration_s),
    picture && `${picture.width} × ${picture.height}, ${picture.fps} fps, ${picture.codec}`,
    ...(found.source?.warnings ?? []).map((warning) => warning.message));
  offerDownloads(found);
}

function offerDownloads(found) {
  at("downloads").hidden = !found.downloads.length;
  at("downloads").querySelector("ul").replaceChildren(...found.downloads.map((download) => {
    const rendition = found.renditions.find((each) => each.name === download.rendition);
    const link = document.createElement("a");
    link.href = download.url;
    const about = [rendition.language !== "und" && rendition.language, rendition.channels > 2 && "5.1"];
    const details = about.filter(Boolean).join(", ");
    link.textContent = rendition.kind === "video"
      ? `${Math.min(rendition.width, rendition.height)}p video, ${words.size(rendition.size_bytes)}`
      : `Sound alone${details && ` (${details})`}`;
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
}

/** Show how far the encode is: over the picture until it plays, and then below it. */
function showProgress(found) {
  const progress = found.progress;
  const speed = progress?.eta_s ? `${progress.fps} frames/s, ${words.duration(progress.eta_s)} left` : "";
  if (playing) {
    at("encoding").textContent = words.facts(words.state(found), speed);
  } else {
    say(words.state(found), speed);
    at("bar").hidden = false;
    if (progress) at("bar").value = progress.percent; else at("bar").removeAttribute("value");
  }
  at("rungs").replaceChildren(...(progress?.rungs ?? []).map((rung) => {
    const item = document.createElement("li");
    item.textContent = `${rung.height}p ${Math.floor(100 * rung.frames_done / rung.frames_planned)} %`;
    return item;
  }));
}

/** Show a video as it stands, and play it as soon as it can be; tell whether that was the end. */
function show(found) {
  describe(found);
  duration_s = found.source?.duration_s ?? 0;
  if (found.playable) play(found);
  at("cancel").hidden = !words.CANCELLABLE.has(found.state);
  at("retry").hidden = !words.RETRYABLE.has(found.state);
  if (!words.ENDED.has(found.state)) { showProgress(found); return false; }
  at("rungs").replaceChildren();
  at("encoding").textContent = "";
  if (found.state === "ready") { if (found.playback.poster) begun.then(decorate); }
  else { playing = false; say(words.state(found), words.failure(found)); }
  return true;
}

/** Say what went wrong while following; tell whether there is nothing more to wait for. */
async function excuse(problem) {
  if (problem.status === 401 || problem.code === "video_not_found") return isPublic();
  if (!playing) say(problem.message);
  return false;
}

/** Follow the video until it is ready or has failed; viewers without a login only wait for the file. */
async function begin() {
  if (hasLogin()) follow(id, show, excuse);
  else if (!await isPublic()) setTimeout(begin, POLL_MS);
}

/** Let a button ask the server for something about this video, and follow what comes of it. */
function act(button, wish) {
  at(button).addEventListener("click", async () => {
    at(button).disabled = true;
    try {
      await call("POST", `/videos/${encodeURIComponent(id)}/${wish}`);
      location.reload();
    } catch (problem) {
      at("encoding").textContent = problem.message;
    } finally { at(button).disabled = false; }
  });
}

/** Play for someone whose video it isn't; tell whether there is nothing more to wait for. */
async function isPublic() {
  const answer = await fetch(source);
  const body = answer.ok ? {} : await answer.json().catch(() => ({}));
  if (answer.ok) {
    // Sound alone has no pictures to ask for, which a guest learns from the player.
    video.addEventListener("loadedmetadata", () => { if (video.videoWidth) decorate(); }, { once: true });
    play();
  }
  else if (body.code === "video_not_ready") say("Not ready yet");
  else say(body.detail ?? "The video can't be played.");
  return body.code !== "video_not_ready";
}

let playing = false;
let duration_s = 0; // as the probe found it; playlists that grow don't know it yet

let begun = Promise.resolve(); // kept when the player may fetch the video's files

function play(found) {
  if (playing) return;
  playing = true;
  say("");
  begun = letIn(found);
  begun.then(start, (problem) => say(problem.message));
}

/** Get this browser the cookie that a private video's files ask for. */
async function letIn(found) {
  if (found?.visibility === "private")
    await call("POST", `/videos/${encodeURIComponent(id)}/playback`, { cookie: true });
}

function start() {
  if (window.Hls?.isSupported()) playByScript();
  else if (video.canPlayType("application/vnd.apple.mpegurl")) video.src = source;
  else say("This browser can't play HLS.");
}

/** Show the pictures that come with the end of the encode. */
function decorate() {
  video.poster = `/v/${encodeURIComponent(id)}/poster.jpg`;
  storyboard.show(video, id).catch(() => {}); // the video plays without
}

function playByScript() {
  const hls = new window.Hls({
    workerPath: "/static/vendor/hls/hls.worker.js", capLevelToPlayerSize: true,
    startPosition: 0, // also while the rest is encoding, when players would begin near the end
  });
  window.hls = hls; // to look at from the console
  hls.on(window.Hls.Events.ERROR, (_, error) => { if (error.fatal) recover(hls, error); });
  choices.offer(hls);
  hls.on(window.Hls.Events.MEDIA_ATTACHED, (_, { mediaSource }) => {
    if (duration_s && mediaSource) mediaSource.duration = duration_s;
  });
  hls.loadSource(source);
  hls.attachMedia(video);
}

let recoveries = 0;

function recover(hls, error) {
  recoveries += 1;
  if (recoveries > 5) { hls.destroy(); say("Playback failed.", error.details); }
  else if (error.type === window.Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
  else setTimeout(() => hls.startLoad(), 1000 * recoveries);
}

const KEYS = {
  " ": () => (video.paused ? video.play() : video.pause()),
  k: () => (video.paused ? video.play() : video.pause()),
  ArrowLeft: () => { video.currentTime = Math.max(0, video.currentTime - STEP_S); },
  ArrowRight: () => { video.currentTime += STEP_S; },
  c: choices.toggleCaptions,
  m: () => { video.muted = !video.muted; },
  f: () => (document.fullscreenElement ? document.exitFullscreen() : video.requestFullscreen()),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("select, input, button, a");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault(); // the player's own keys do the same, and would undo it
  KEYS[event.key]();
}, true);

act("cancel", "cancel");
act("retry", "retry");
greet().catch(() => {});
begin();

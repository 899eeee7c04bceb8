import { call, greet, hasLogin } from "/static/api.js";
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
    picture && `${picture.width} × ${picture.height}, ${picture.fps} fps, ${picture.codec}`);
  offerDownloads(found);
}

function offerDownloads(found) {
  at("downloads").hidden = !found.downloads.length;
  at("downloads").querySelector("ul").replaceChildren(...found.downloads.map((download) => {
    const rendition = found.renditions.find((each) => each.name === download.rendition);
    const link = document.createElement("a");
    link.href = download.url;
    link.textContent = rendition.kind === "video"
      ? `${Math.min(rendition.width, rendition.height)}p video` : `Sound alone (${rendition.language})`;
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
}

function showProgress(found) {
  const progress = found.progress;
  say(words.state(found), progress?.eta_s ? `${progress.fps} frames/s, ${words.duration(progress.eta_s)} left` : "");
  at("bar").hidden = false;
  if (progress) at("bar").value = progress.percent; else at("bar").removeAttribute("value");
  at("rungs").replaceChildren(...(progress?.rungs ?? []).map((rung) => {
    const item = document.createElement("li");
    item.textContent = `${rung.height}p ${Math.floor(100 * rung.frames_done / rung.frames_planned)} %`;
    return item;
  }));
}

/** Follow the video until it plays or has failed; viewers without a login only wait for the file. */
async function follow() {
  if (!hasLogin()) { if (!await isPublic()) setTimeout(follow, POLL_MS); return; }
  try {
    const found = await call("GET", `/videos/${encodeURIComponent(id)}`);
    describe(found);
    if (found.state === "ready") { at("rungs").replaceChildren(); play(); return; }
    if (words.ENDED.has(found.state)) { say(words.state(found), found.failure?.message); return; }
    showProgress(found);
  } catch (problem) {
    if (problem.status === 401 || problem.code === "video_not_found") {
      if (await isPublic()) return;
    } else { say(problem.message); }
  }
  setTimeout(follow, POLL_MS);
}

/** Play for someone whose video it isn't; tell whether there is nothing more to wait for. */
async function isPublic() {
  const answer = await fetch(source);
  const body = answer.ok ? {} : await answer.json().catch(() => ({}));
  if (answer.ok) play();
  else if (body.code === "video_not_ready") say("Not ready yet");
  else say(body.detail ?? "The video can't be played.");
  return body.code !== "video_not_ready";
}

function play() {
  say("");
  video.poster = `/v/${encodeURIComponent(id)}/poster.jpg`;
  storyboard.show(video, id).catch(() => {}); // the video plays without
  if (window.Hls?.isSupported()) playByScript();
  else if (video.canPlayType("application/vnd.apple.mpegurl")) video.src = source;
  else say("This browser can't play HLS.");
}

function playByScript() {
  const hls = new window.Hls({ workerPath: "/static/vendor/hls/hls.worker.js", capLevelToPlayerSize: true });
  window.hls = hls; // to look at from the console
  hls.on(window.Hls.Events.ERROR, (_, error) => { if (error.fatal) recover(hls, error); });
  hls.on(window.Hls.Events.MANIFEST_PARSED, () => offerQualities(hls));
  hls.on(window.Hls.Events.LEVEL_SWITCHED, () => nameAutomatic(hls));
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

const name = (level) => `${Math.min(level.width, level.height)}p`;

function offerQualities(hls) {
  const levels = hls.levels.map((level, index) => ({ level, index })).filter(({ level }) => level.height);
  if (levels.length < 2) return;
  levels.sort((a, b) => b.level.bitrate - a.level.bitrate);
  const choices = levels.map(({ level, index }) => new Option(name(level), index));
  at("quality").replaceChildren(new Option("Auto", -1), ...choices);
  at("quality").addEventListener("change", () => { hls.nextLevel = Number(at("quality").value); nameAutomatic(hls); });
  at("menu").hidden = false;
}

/** Say which quality the automatic choice has taken. */
function nameAutomatic(hls) {
  const level = hls.levels[hls.currentLevel];
  const automatic = at("quality").options[0];
  if (automatic) automatic.textContent = hls.autoLevelEnabled && level?.height ? `Auto (${name(level)})` : "Auto";
}

const KEYS = {
  " ": () => (video.paused ? video.play() : video.pause()),
  k: () => (video.paused ? video.play() : video.pause()),
  ArrowLeft: () => { video.currentTime = Math.max(0, video.currentTime - STEP_S); },
  ArrowRight: () => { video.currentTime += STEP_S; },
  m: () => { video.muted = !video.muted; },
  f: () => (document.fullscreenElement ? document.exitFullscreen() : video.requestFullscreen()),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("select, input, button, a");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault(); // the player's own keys do the same, and would undo it
  KEYS[event.key]();
}, true);

greet().catch(() => {});
follow();

// What a viewer may choose of: the picture's quality, the sound, and captions.

const at = (id) => document.getElementById(id);

const side = (level) => Math.min(level.width, level.height);
const codec = (level) => ({ hvc1: "HEVC", av01: "AV1" })[level.videoCodec?.slice(0, 4)];

/** Name a level by its short side; others of the same size by their codec or rate as well. */
function name(level, levels) {
  const alike = levels.filter((other) => side(other) === side(level));
  const more = alike.length > 1 && (codec(level) ?? `${(level.bitrate / 1e6).toFixed(1)} Mb/s`);
  return more ? `${side(level)}p (${more})` : `${side(level)}p`;
}

/** Give the levels with a picture, each once: a picture is listed again for each layout of sound. */
function pictures(hls) {
  const seen = new Set();
  const fresh = (level) => level.height && !seen.has(level.uri) && seen.add(level.uri);
  return hls.levels.filter(fresh).sort((a, b) => side(b) - side(a) || b.bitrate - a.bitrate);
}

/** Show a menu with these choices, or hide it; `pick` gets the value of the one taken. */
function fill(menu, choices, chosen, pick) {
  const list = at(menu);
  list.replaceChildren(...choices.map(([label, value]) => new Option(label, value)));
  list.value = chosen;
  list.onchange = () => pick(Number(list.value));
  list.parentElement.hidden = choices.length < 2;
}

function offerQualities(hls) {
  const levels = pictures(hls);
  const choices = levels.map((level) => [name(level, levels), hls.levels.indexOf(level)]);
  const pick = (index) => { hls.nextLevel = index; nameAutomatic(hls); };
  fill("quality", levels.length > 1 ? [["Auto", -1], ...choices] : [], -1, pick);
}

/** Say which quality the automatic choice has taken. */
function nameAutomatic(hls) {
  const level = hls.levels[hls.currentLevel];
  const automatic = at("quality").options[0];
  const known = automatic && hls.autoLevelEnabled && level?.height;
  if (automatic) automatic.textContent = known ? `Auto (${side(level)}p)` : "Auto";
}

function offerSound(hls) {
  const tracks = hls.audioTracks.map((track, index) => [track.name, index]);
  fill("sound", tracks, hls.audioTrack, (index) => { hls.audioTrack = index; });
}

function offerCaptions(hls) {
  const tracks = hls.subtitleTracks.map((track, index) => [track.name, index]);
  const pick = (index) => { hls.subtitleTrack = index; hls.subtitleDisplay = index >= 0; };
  fill("captions", [["Off", -1], ...tracks], hls.subtitleTrack, pick);
}

/** Turn captions on or off: those of the menu, or else the first. */
export function toggleCaptions() {
  const list = at("captions");
  if (list.options.length < 2) return;
  list.value = list.value === "-1" ? list.options[1].value : "-1";
  list.onchange();
}

/** Keep all menus as a player's streams are. */
export function offer(hls) {
  const { Events } = window.Hls;
  hls.on(Events.MANIFEST_PARSED, () => offerQualities(hls));
  hls.on(Events.LEVEL_SWITCHED, () => nameAutomatic(hls));
  hls.on(Events.AUDIO_TRACKS_UPDATED, () => offerSound(hls));
  hls.on(Events.AUDIO_TRACK_SWITCHED, () => { at("sound").value = hls.audioTrack; });
  hls.on(Events.SUBTITLE_TRACKS_UPDATED, () => offerCaptions(hls));
  hls.on(Events.SUBTITLE_TRACK_SWITCH, () => { at("captions").value = hls.subtitleTrack; });
}

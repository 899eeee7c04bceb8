// A bar below the player that shows what is where: browsers' own seek bars can't be added to.

import * as words from "/static/words.js";

const at = (id) => document.getElementById(id);

/** Show the bar for a video, if it has a storyboard. */
export async function show(video, id) {
  const address = new URL(`/v/${encodeURIComponent(id)}/storyboard.json`, location.href);
  const answer = await fetch(address);
  if (!answer.ok) return;
  const board = await answer.json();
  const bar = at("scrub"), line = at("line");
  line.max = board.duration_s;
  line.addEventListener("input", () => { video.currentTime = Number(line.value); });
  video.addEventListener("timeupdate", () => { line.value = video.currentTime; });
  line.addEventListener("pointermove", (event) => {
    const room = line.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientX - room.left) / room.width));
    showTile(board, address, part);
  });
  line.addEventListener("input", () => showTile(board, address, line.value / board.duration_s));
  for (const name of ["pointerleave", "blur"]) line.addEventListener(name, () => { at("tile").hidden = true; });
  bar.hidden = false;
}

/** Show the tile of a part of the whole, 0 to 1, over that place of the bar. */
function showTile(board, address, part) {
  const time = part * board.duration_s;
  const number = Math.min(board.tiles - 1, Math.floor(time / board.interval_s));
  const sheet = board.sheets.findLast((one) => one.first_tile <= number);
  const column = (number - sheet.first_tile) % sheet.columns;
  const row = Math.floor((number - sheet.first_tile) / sheet.columns);
  const picture = at("tile-picture").style;
  picture.width = `${board.tile_width}px`;
  picture.height = `${board.tile_height}px`;
  picture.backgroundImage = `url("${new URL(sheet.url, address).href}")`;
  picture.backgroundPosition = `${-column * board.tile_width}px ${-row * board.tile_height}px`;
  at("tile-time").textContent = words.duration(time);
  at("tile").style.left = `clamp(${board.tile_width / 2}px, ${100 * part}%, 100% - ${board.tile_width / 2}px)`;
  at("tile").hidden = false;
}

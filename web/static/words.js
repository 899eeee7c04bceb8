// Values in words.

const STATES = {
  created: "Waiting for the file",
  uploading: "Uploading",
  uploaded: "Waiting for a worker",
  probing: "Looking into the file",
  encoding: "Encoding",
  ready: "Ready",
  failed: "Failed",
  cancelled: "Cancelled",
};

export const CANCELLABLE = new Set(["uploaded", "probing", "encoding"]);
export const RETRYABLE = new Set(["failed", "cancelled"]);
export const ENDED = new Set(["ready", "failed", "cancelled"]);

export function state(video) {
  const percent = video.state === "encoding" && video.progress ? ` ${video.progress.percent} %` : "";
  return (STATES[video.state] ?? video.state) + percent;
}

/** Say why a video failed, and whether to try again. */
export function failure(video) {
  if (!video.failure) return "";
  const advice = video.failure.retryable ? "Trying again may help." : "Trying again won't help.";
  return `${video.failure.message} ${advice}`;
}

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) { bytes /= 1000; step += 1; }
  return `${bytes.toFixed(step && bytes < 10 ? 1 : 0)} ${units[step]}`;
}

export function duration(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (!parts[0]) parts.shift();
  return parts.map((part, index) => (index ? String(part).padStart(2, "0") : part)).join(":");
}

export function when(text) {
  return new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

export function facts(...words) {
  return words.filter(Boolean).join(" · ");
}

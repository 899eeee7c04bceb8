import { Problem, call, greet, logIn, proof, refresh } from "/static/api.js";
import * as words from "/static/words.js";

const at = (id) => document.getElementById(id);
let last = Promise.resolve();
let waiting = 0;

const ENDPOINT = "/api/v1/uploads/tus";
const RETRY_MS = [0, 1000, 3000, 5000, 10000, 20000, 30000];

function mayRetry(error) {
  const status = error.originalResponse ? error.originalResponse.getStatus() : 0;
  return status === 0 || status >= 500 || [401, 409, 423, 429, 460].includes(status);
}

function explain(error) {
  const body = error.originalResponse && error.originalResponse.getBody();
  try {
    return new Problem(error.originalResponse.getStatus(), JSON.parse(body));
  } catch {
    return new Problem(0, { detail: "The connection broke off; choose Retry to go on where it was." });
  }
}

/** Send a file in parts that survive a lost connection; `report` gets the bytes that were sent so far. */
function send(file, report, control) {
  return new Promise((resolve, reject) => {
    const upload = new window.tus.Upload(file, {
      endpoint: ENDPOINT,
      metadata: { filename: file.name },
      retryDelays: RETRY_MS,
      removeFingerprintOnSuccess: true,
      onBeforeRequest: (request) => Object.entries(proof()).forEach(([name, value]) => request.setHeader(name, value)),
      onAfterResponse: async (_, response) => { if (response.getStatus() === 401) await refresh(); },
      onShouldRetry: mayRetry,
      onProgress: report,
      onSuccess: () => resolve(upload.url.split("/").pop()),
      onError: (error) => reject(explain(error)),
    });
    control.abort = () => { upload.abort(true).catch(() => {}); reject(new Error("Cancelled")); };
    upload.findPreviousUploads().then((known) => {
      if (known.length) upload.resumeFromPreviousUpload(known[0]);
      upload.start();
    });
  });
}

function makeItem(file) {
  const item = at("item").content.firstElementChild.cloneNode(true);
  const find = (name) => item.querySelector(name);
  find(".title").textContent = file.name;
  find(".facts").textContent = words.size(file.size);
  find(".state").textContent = "Waiting";
  at("queue").append(item);
  return { item, find, control: { abort: null, gone: false } };
}

async function upload(file, { find, item, control }) {
  if (control.gone) return;
  const began = performance.now();
  let first = null; // what was there of it already is no speed of ours
  find(".state").textContent = "Uploading";
  find(".retry").hidden = true;
  delete item.dataset.state;
  try {
    await call("GET", "/auth/me"); // a login that is about to end is renewed before the long way
    const id = await send(file, (sent) => {
      first ??= sent;
      const rate = (sent - first) / (performance.now() - began) * 1000;
      find("progress").value = sent / file.size;
      find(".facts").textContent = words.facts(`${words.size(sent)} of ${words.size(file.size)}`, `${words.size(rate)}/s`,
        rate && `${words.duration((file.size - sent) / rate)} left`);
    }, control);
    done(id, find);
    find(".cancel").remove();
    find(".retry").remove();
  } catch (problem) {
    if (problem.status === 401) { logIn(); return; }
    item.dataset.state = "failed";
    find(".state").textContent = problem.message;
    find(".retry").hidden = control.gone;
    if (control.gone) find(".cancel").remove();
  }
}

function done(id, find) {
  const link = document.createElement("a");
  link.href = `/watch/${id}`;
  link.textContent = "Watch";
  find("progress").value = 1;
  find(".state").replaceChildren(link);
}

function add(files) {
  for (const file of files) {
    const shown = makeItem(file);
    shown.find(".cancel").addEventListener("click", () => {
      shown.control.gone = true;
      if (shown.control.abort) shown.control.abort(); else shown.item.remove();
    });
    shown.find(".retry").addEventListener("click", () => enqueue(file, shown));
    enqueue(file, shown);
  }
}

function enqueue(file, shown) {
  waiting += 1;
  last = last.then(() => upload(file, shown)).finally(() => { waiting -= 1; });
}

const drop = at("drop");
at("files").addEventListener("change", (event) => { add([...event.target.files]); event.target.value = ""; });
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
drop.addEventListener("dragover", () => drop.classList.add("over"));
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => add([...event.dataTransfer.files]));
addEventListener("beforeunload", (event) => { if (waiting) event.preventDefault(); });

if (await greet() === null) logIn();

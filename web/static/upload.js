import { call, greet, logIn, proof } from "/static/api.js";
import * as words from "/static/words.js";

const at = (id) => document.getElementById(id);
let last = Promise.resolve();
let waiting = 0;

/** Send a file as the request's body; `report` gets the bytes sent so far. */
function send(file, report, control) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `/api/v1/uploads/${encodeURIComponent(file.name)}`);
    for (const [name, value] of Object.entries(proof())) request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => report(event.loaded));
    request.addEventListener("load", () => {
      if (request.status === 201) resolve(request.response);
      else reject(new Error(request.response?.detail ?? "The upload failed; try again."));
    });
    request.addEventListener("error", () => reject(new Error("The connection broke off; try again.")));
    request.addEventListener("abort", () => reject(new Error("Cancelled")));
    control.abort = () => request.abort();
    request.send(file);
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
  find(".state").textContent = "Uploading";
  try {
    await call("GET", "/auth/me"); // a login that is about to end is renewed before the long way
    const video = await send(file, (sent) => {
      const rate = sent / (performance.now() - began) * 1000;
      find("progress").value = sent / file.size;
      find(".facts").textContent = words.facts(`${words.size(sent)} of ${words.size(file.size)}`, `${words.size(rate)}/s`,
        rate && `${words.duration((file.size - sent) / rate)} left`);
    }, control);
    done(video, find);
  } catch (problem) {
    if (problem.status === 401) { logIn(); return; }
    item.dataset.state = "failed";
    find(".state").textContent = problem.message;
  }
  find(".cancel").remove();
}

function done(video, find) {
  const link = document.createElement("a");
  link.href = `/watch/${video.id}`;
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
    waiting += 1;
    last = last.then(() => upload(file, shown)).finally(() => { waiting -= 1; });
  }
}

const drop = at("drop");
at("files").addEventListener("change", (event) => { add([...event.target.files]); event.target.value = ""; });
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
drop.addEventListener("dragover", () => drop.classList.add("over"));
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => add([...event.dataTransfer.files]));
addEventListener("beforeunload", (event) => { if (waiting) event.preventDefault(); });

if (await greet() === null) logIn();

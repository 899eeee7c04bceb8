// Rows of tables, and telling what goes wrong while they change.

import { logIn } from "/static/api.js";

/** Make a row of texts and elements. */
export function row(...cells) {
  const made = document.createElement("tr");
  for (const cell of cells) {
    const place = document.createElement("td");
    place.append(cell ?? "");
    made.append(place);
  }
  return made;
}

export function button(text, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "quiet";
  made.textContent = text;
  made.addEventListener("click", action);
  return made;
}

/** Run something, and show what goes wrong; gives undefined then. */
export async function tell(action) {
  const place = document.getElementById("problem");
  try {
    const result = await action();
    place.hidden = true;
    return result;
  } catch (problem) {
    if (problem.status === 401) { logIn(); return undefined; }
    place.textContent = problem.message;
    place.hidden = false;
    return undefined;
  }
}

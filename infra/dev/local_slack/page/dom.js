// Builds page elements; text only ever becomes text nodes, so nothing a message says can become markup.

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "testid") element.dataset.testid = value;
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function byId(id) {
  return document.getElementById(id);
}

// An icon drawn here, so that it looks the same whatever fonts the machine has.
export function icon(name) {
  const paths = {
    pending: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11Z",
    in_progress: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5",
    complete: "M3.5 8.5l3 3 6-7",
    error: "M4 4l8 8M12 4l-8 8",
    reply: "M3 4h10v6H8l-3 3v-3H3Z",
    clip: "M11 5.5 6.6 9.9a1.4 1.4 0 0 0 2 2l4.2-4.2a2.8 2.8 0 0 0-4-4L4.4 8.1a4.2 4.2 0 0 0 6 6l3-3",
    smile: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM6 6.6v.4M10 6.6v.4M5.6 9.6c1.2 1.7 3.6 1.7 4.8 0",
  };
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", paths[name]);
  svg.append(path);
  return svg;
}

export function timeOf(ts) {
  const date = new Date(Number(ts) * 1000);
  const shown = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return el("time", { datetime: date.toISOString(), title: date.toLocaleString() }, shown);
}

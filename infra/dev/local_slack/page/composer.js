// Where a person writes: Enter sends, @ completes names, / completes commands, files can be attached.
import { Refused, act } from "./api.js";
import { el, icon } from "./dom.js";
import { channels, groups, people } from "./names.js";

// place(): {user, channel, thread_ts}; kind: "channel" or "thread"
export function composer(kind, place, app) {
  const listId = `completion-${kind}`;
  let files = [];
  let options = [];
  let chosen = 0;

  const input = el("textarea", {
    rows: "1", testid: `composer-${kind}`, "aria-label": kind === "thread" ? "Reply" : "Message", "aria-autocomplete": "list",
    "aria-controls": listId, "aria-expanded": "false", role: "combobox", placeholder: kind === "thread" ? "Reply…" : "Message",
  });
  const list = el("ul", { id: listId, class: "completion", role: "listbox", "aria-label": "Suggestions", testid: `completion-${kind}`, hidden: true });
  const error = el("p", { class: "error", role: "alert", testid: `composer-error-${kind}`, hidden: true });
  const attached = el("p", { class: "attached", hidden: true });
  const file = el("input", { type: "file", class: "hidden-input", tabindex: "-1", "aria-label": "Attach a file", testid: `file-${kind}` });
  const form = el("form", { class: "composer" }, list,
    el("div", { class: "line" }, input,
      el("button", { type: "button", class: "quiet", "aria-label": "Attach a file", title: "Attach a file", on: { click: () => file.click() } }, icon("clip")), file,
      el("button", { type: "submit", class: "button primary", testid: `send-${kind}` }, "Send")),
    attached, error);

  const complain = (text) => {
    error.textContent = text ?? "";
    error.hidden = !text;
  };
  const grow = () => {
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight, 180)}px`;
  };

  async function send() {
    const text = input.value;
    if (!text.trim() && !files.length) return;
    const sent = { ...place() };
    complain(null);
    try {
      const command = /^(\/[a-z0-9_-]+)(?:\s+([\s\S]*))?$/i.exec(text.trim());
      if (command) await sendCommand(command, sent);
      else await act("messages", { ...sent, text, files });
      if (input.value === text) input.value = "";
      files = [];
      attached.hidden = true;
      grow();
    } catch (problem) {
      if (!(problem instanceof Refused)) throw problem;
      complain(problem.message);
    }
  }

  async function sendCommand([, command, text], sent) {
    // The command leaves the composer at once, as in Slack; its answer comes when the app gives one.
    const waiting = act("commands", { ...sent, command, text: text ?? "" });
    if (!sent.thread_ts && app().commands.some((known) => known.name === command)) input.value = "";
    await waiting;
  }

  function suggest() {
    const before = input.value.slice(0, input.selectionStart);
    const name = /(?:^|[\s(])([@#])([\w-]*)$/.exec(before);
    const command = /^(\/[\w-]*)$/.exec(before);
    if (name?.[1] === "@") {
      const typed = name[2].toLowerCase();
      const all = [
        ...people().map((person) => ({ label: `@${person.profile.display_name}`, hint: person.real_name })),
        ...groups().map((group) => ({ label: `@${group.handle}`, hint: group.name })),
      ];
      show(all.filter((one) => one.label.slice(1).toLowerCase().startsWith(typed)), name[2].length + 1);
    } else if (name) {
      const all = channels().filter((channel) => !channel.is_im).map((channel) => ({ label: `#${channel.name}`, hint: channel.topic?.value }));
      show(all.filter((one) => one.label.startsWith(`#${name[2]}`)), name[2].length + 1);
    } else if (command) {
      const all = app().commands.map((known) => ({ label: known.name, hint: `${known.usage_hint} ${known.description}`.trim() }));
      show(all.filter((one) => one.label.startsWith(command[1]) && one.label !== command[1]), command[1].length);
    } else show([], 0);
  }

  function show(found, typedLength) {
    options = found.slice(0, 8).map((one) => ({ ...one, typedLength }));
    chosen = 0;
    list.replaceChildren(...options.map((one, index) => el("li", {
      role: "option", id: `${listId}-${index}`, testid: "completion-option", "aria-selected": String(index === chosen),
      on: { mousedown: (event) => { event.preventDefault(); take(index); } },
    }, el("strong", {}, one.label), el("span", {}, ` ${one.hint ?? ""}`))));
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(options.length > 0));
    mark();
  }

  function mark() {
    [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === chosen)));
    if (options.length) input.setAttribute("aria-activedescendant", `${listId}-${chosen}`);
    else input.removeAttribute("aria-activedescendant");
  }

  function take(index) {
    const { label, typedLength } = options[index];
    input.setRangeText(`${label} `, input.selectionStart - typedLength, input.selectionStart, "end");
    show([], 0);
    input.focus();
  }

  input.addEventListener("input", () => { complain(null); grow(); suggest(); });
  input.addEventListener("blur", () => show([], 0));
  input.addEventListener("keydown", (event) => {
    if (options.length && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : options.length - 1)) % options.length;
      mark();
    } else if (options.length && ["Enter", "Tab"].includes(event.key)) {
      event.preventDefault();
      take(chosen);
    } else if (options.length && event.key === "Escape") {
      event.stopPropagation();
      show([], 0);
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    }
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  file.addEventListener("change", async () => {
    for (const one of file.files) {
      const bytes = new Uint8Array(await one.arrayBuffer());
      let text = "";
      for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
      const answer = await act("uploads", { user: place().user, name: one.name, base64: btoa(text) });
      files.push(answer.file.id);
      attached.textContent = `${files.length} attached: ${one.name}`;
      attached.hidden = false;
    }
    file.value = "";
    input.focus();
  });
  form.focusInput = () => input.focus();
  form.setPlaceholder = (text) => { input.placeholder = text; };
  form.setDisabled = (off) => { for (const control of form.elements) control.disabled = off; };
  return form;
}

// Modals, the Home tab and confirmation dialogs.
import { Refused, act } from "./api.js";
import { renderBlocks } from "./blocks.js";
import { byId, el } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";

let shownHash = "";

// Shows the topmost view of a person's stack, or nothing.
export function showModal(view, user, toast) {
  const dialog = byId("modal");
  if (!view) {
    shownHash = "";
    if (dialog.open) dialog.close();
    return;
  }
  if (dialog.open && shownHash === view.hash) return;
  shownHash = view.hash;
  const close = async () => {
    await act("views/close", { user, view_id: view.id }).catch(toast);
  };
  const whole = el("p", { class: "error", role: "alert", testid: "modal-error", hidden: true });
  const form = el("form", { novalidate: true, testid: "modal-form" },
    el("div", { class: "modal-head" }, el("h2", { id: "modal-title" }, view.title.text),
      el("button", { type: "button", class: "quiet", "aria-label": "Close", testid: "modal-x", on: { click: close } }, "✕")),
    el("div", { class: "modal-body" }, whole, renderBlocks(view.blocks, useIn(view, user, toast))),
    el("div", { class: "modal-foot" },
      el("button", { type: "button", class: "button", testid: "modal-close", on: { click: close } }, view.close?.text ?? "Cancel"),
      view.submit && el("button", { type: "submit", class: "button primary", testid: "modal-submit" }, view.submit.text)));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await submit(form, view, user, whole);
  });
  dialog.oncancel = (event) => { event.preventDefault(); close(); };
  dialog.replaceChildren(form);
  if (!dialog.open) dialog.showModal();
  form.querySelector("input, textarea, select")?.focus();
}

async function submit(form, view, user, whole) {
  const button = form.querySelector("[type=submit]");
  const fields = [...form.querySelectorAll(".field")];
  const values = {};
  for (const one of fields) {
    (values[one.dataset.blockId] ??= {})[one.dataset.actionId] = one.readValue();
    one.showError(null);
  }
  whole.hidden = true;
  button.disabled = true;
  let errors = {};
  try {
    errors = (await act("views/submit", { user, view_id: view.id, values })).errors;
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    errors = { "": problem.message };
  } finally {
    button.disabled = false;
  }
  for (const one of fields) one.showError(errors[one.dataset.blockId]);
  if (errors[""]) {
    whole.textContent = errors[""];
    whole.hidden = false;
  }
  fields.find((one) => errors[one.dataset.blockId])?.querySelector("input, textarea, select")?.focus();
}

export function showHome(view, user, toast) {
  const home = byId("home");
  home.replaceChildren(...(view ? renderBlocks(view.blocks, useIn(view, user, toast)) : [el("p", { class: "hint" }, "The app shows nothing here yet.")]));
}

function useIn(view, user, toast) {
  return async (element, block, chosen) => {
    if (element.confirm && !(await confirmed(element.confirm))) return;
    await act("views/act", { user, view_id: view.id, action_id: element.action_id, chosen: chosen ?? {} }).catch(toast);
  };
}

// Asks what a button's confirm object says; true when the person agrees.
export function confirmed(confirm) {
  const dialog = byId("confirm");
  return new Promise((resolve) => {
    const answer = (value) => { dialog.close(); resolve(value); };
    dialog.oncancel = (event) => { event.preventDefault(); answer(false); };
    dialog.replaceChildren(
      el("h2", { id: "confirm-title" }, confirm.title.text),
      el("div", { class: "text" }, confirm.text.type === "mrkdwn" ? mrkdwn(confirm.text.text) : confirm.text.text),
      el("div", { class: "modal-foot" },
        el("button", { type: "button", class: "button", testid: "confirm-deny", on: { click: () => answer(false) } }, confirm.deny?.text ?? "Cancel"),
        el("button", { type: "button", class: `button ${confirm.style ?? "primary"}`, testid: "confirm-accept", on: { click: () => answer(true) } }, confirm.confirm?.text ?? "Yes")));
    dialog.showModal();
  });
}

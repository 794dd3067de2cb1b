// Inputs of modals and menus in messages. A field's element has readValue(): what view.state holds for it.
import { el } from "./dom.js";
import { channels, people } from "./names.js";

let count = 0;

export function field(block, { bare = false } = {}) {
  const { element } = block;
  const id = `field-${(count += 1)}`;
  const testid = `input-${block.block_id}-${element.action_id}`;
  const made = make(element, id, testid, block.label?.text ?? "", block.optional);
  const wrapper = el("div", { class: "field", dataset: { blockId: block.block_id, actionId: element.action_id, kind: element.type } },
    !bare && el(made.group ? "p" : "label", { class: "label", for: made.group ? null : id, id: `${id}-label` }, block.label.text, block.optional && el("span", { class: "optional" }, " (optional)")),
    made.control,
    block.hint && el("p", { class: "hint", id: `${id}-hint` }, block.hint.text),
    el("p", { class: "error", role: "alert", id: `${id}-error`, testid: `error-${block.block_id}`, hidden: true }));
  if (bare && !made.group) made.control.setAttribute("aria-label", block.label?.text ?? "Choose");
  if (!made.group) made.control.setAttribute("aria-describedby", `${id}-error${block.hint ? ` ${id}-hint` : ""}`);
  wrapper.readValue = made.read;
  wrapper.showError = (text) => {
    const error = wrapper.querySelector(".error");
    error.textContent = text ?? "";
    error.hidden = !text;
    if (text) made.control.setAttribute("aria-invalid", "true");
    else made.control.removeAttribute("aria-invalid");
  };
  return wrapper;
}

const humans = () => people().map((person) => ({ value: person.id, label: person.profile.display_name }));
const rooms = () => channels().filter((channel) => !channel.is_im).map((channel) => ({ value: channel.id, label: `#${channel.name}` }));

function make(element, id, testid, label, optional) {
  const shared = { id, testid, "aria-required": optional ? null : "true", autofocus: element.focus_on_load };
  const placeholder = element.placeholder?.text;
  const typed = { plain_text_input: "text", email_text_input: "email", url_text_input: "url", number_input: "text" }[element.type];
  if (typed) {
    const control = element.multiline
      ? el("textarea", { ...shared, rows: "4", placeholder, maxlength: element.max_length })
      : el("input", { ...shared, type: typed, inputmode: element.type === "number_input" ? "decimal" : null, placeholder, maxlength: element.max_length });
    control.value = element.initial_value ?? "";
    return { control, read: () => ({ value: control.value || null }) };
  }
  const dates = { datepicker: ["date", "selected_date", element.initial_date], timepicker: ["time", "selected_time", element.initial_time] }[element.type];
  if (dates) {
    const control = el("input", { ...shared, type: dates[0] });
    control.value = dates[2] ?? "";
    return { control, read: () => ({ [dates[1]]: control.value || null }) };
  }
  const options = element.options ?? element.option_groups?.flatMap((group) => group.options) ?? [];
  const plain = options.map((option, index) => ({ value: String(index), label: option.text.text, hint: option.description?.text }));
  const indexes = (chosen) => (chosen ?? []).map((option) => String(options.findIndex((one) => one.value === option.value)));
  const pick = (values) => values.map((value) => options[Number(value)]);
  const group = { role: element.type === "radio_buttons" ? "radiogroup" : "group", "aria-labelledby": `${id}-label`, testid };
  switch (element.type) {
    case "static_select": {
      const control = select(shared, plain, indexes(element.initial_option ? [element.initial_option] : []), placeholder);
      return { control, read: () => ({ selected_option: control.value === "" ? null : options[Number(control.value)] }) };
    }
    case "users_select": case "channels_select": case "conversations_select": {
      const [key, list, initial] = element.type === "users_select"
        ? ["selected_user", humans(), element.initial_user]
        : element.type === "channels_select"
          ? ["selected_channel", rooms(), element.initial_channel]
          : ["selected_conversation", rooms(), element.initial_conversation];
      const control = select(shared, list, initial ? [initial] : [], placeholder);
      return { control, read: () => ({ [key]: control.value || null }) };
    }
    case "radio_buttons": return choices("radio", group, id, plain, indexes(element.initial_option ? [element.initial_option] : []), (values) => ({ selected_option: pick(values)[0] ?? null }));
    case "checkboxes": case "multi_static_select": return choices("checkbox", group, id, plain, indexes(element.initial_options), (values) => ({ selected_options: pick(values) }));
    case "multi_users_select": return choices("checkbox", group, id, humans(), element.initial_users ?? [], (values) => ({ selected_users: values }));
    case "multi_channels_select": return choices("checkbox", group, id, rooms(), element.initial_channels ?? [], (values) => ({ selected_channels: values }));
    case "multi_conversations_select": return choices("checkbox", group, id, rooms(), element.initial_conversations ?? [], (values) => ({ selected_conversations: values }));
    default: return { control: el("p", { ...shared }, `An input of type ${element.type}`), read: () => ({}) };
  }
}

function select(shared, list, chosen, placeholder) {
  return el("select", shared, el("option", { value: "" }, placeholder ?? "Choose…"),
    list.map((one) => el("option", { value: one.value, selected: chosen.includes(one.value) }, one.label)));
}

function choices(type, group, id, list, chosen, state) {
  const boxes = list.map((one) => el("input", { type, name: id, value: one.value, checked: chosen.includes(one.value) }));
  const control = el("div", { class: "choices", ...group }, boxes.map((box, index) =>
    el("label", {}, box, el("span", {}, list[index].label, list[index].hint && el("small", {}, ` ${list[index].hint}`)))));
  return { control, group: true, read: () => state(boxes.filter((box) => box.checked).map((box) => box.value)) };
}

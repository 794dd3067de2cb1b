// Block Kit to elements: every block the app may send in a message or a view.
import { el, icon } from "./dom.js";
import { field } from "./inputs.js";
import { markdown } from "./markdown.js";
import { mrkdwn } from "./mrkdwn.js";
import { broadcastChip, channelChip, emoji, groupChip, personChip } from "./names.js";

const STATUS = { pending: "Pending", in_progress: "In progress", complete: "Complete", error: "Error" };

// act(element, block, chosen) is called when a person uses an interactive element.
export function renderBlocks(blocks, act) {
  return blocks.map((block) => {
    const renderer = RENDERERS[block.type];
    const inner = renderer ? renderer(block, act) : el("p", { class: "unknown" }, `A block of type ${block.type}`);
    inner.classList.add("block", `block-${block.type}`);
    inner.dataset.blockId = block.block_id ?? "";
    return inner;
  });
}

export function textObject(object) {
  if (!object) return [];
  return object.type === "mrkdwn" ? mrkdwn(object.text) : withEmoji(object.text);
}

function withEmoji(text) {
  return text.split(/(:[a-z0-9_+-]+:)/).map((part) => (/^:[a-z0-9_+-]+:$/.test(part) ? emoji(part.slice(1, -1)) : part));
}

const RENDERERS = {
  section: (block, act) => el("div", {},
    block.text && el("div", { class: "text" }, textObject(block.text)),
    block.fields && el("div", { class: "fields" }, block.fields.map((text) => el("div", { class: "text" }, textObject(text)))),
    block.accessory && el("div", { class: "accessory" }, interactive(block.accessory, block, act))),
  header: (block) => el("div", {}, el("h3", {}, textObject(block.text))),
  divider: () => el("div", { role: "separator" }),
  context: (block) => el("div", {}, block.elements.map((element) =>
    element.type === "image" ? image(element, "small") : el("span", { class: "text" }, textObject(element)))),
  actions: (block, act) => el("div", {}, block.elements.map((element) => interactive(element, block, act))),
  context_actions: (block, act) => el("div", {}, block.elements.flatMap((element) =>
    element.type === "feedback_buttons" ? feedback(element, block, act) : interactive(element, block, act))),
  image: (block) => el("figure", {}, block.title && el("figcaption", {}, textObject(block.title)), image(block, "large")),
  rich_text: (block) => el("div", { class: "text" }, richText(block)),
  markdown: (block) => el("div", { class: "text prose" }, markdown(block.text)),
  table: (block) => table(block),
  task_card: (block) => el("div", {}, task(block)),
  plan: (block) => plan(block),
  alert: (block) => el("div", { class: `level-${block.level ?? "default"}`, role: "note" }, textObject(block.text)),
  input: (block) => field(block),
};

function image(element, size) {
  const source = element.image_url ?? "";
  const local = source.startsWith("data:") || source.startsWith(`${location.origin}/`);
  return local
    ? el("img", { class: size, src: source, alt: element.alt_text })
    : el("span", { class: "picture" }, `Picture: ${element.alt_text}`);
}

function interactive(element, block, act) {
  if (element.type === "button" || element.type === "icon_button") {
    const label = element.text?.text ?? element.icon;
    return el("button", {
      type: "button", class: `button ${element.style ?? ""}`, testid: `button-${element.action_id}`,
      "aria-label": element.accessibility_label, dataset: { value: element.value ?? "", actionId: element.action_id },
      on: { click: () => act(element, block, null) },
    }, withEmoji(label));
  }
  if (element.type === "image") return image(element, "small");
  if (element.type === "overflow") {
    const menu = el("select", { class: "button", "aria-label": "More actions", testid: `menu-${element.action_id}` },
      el("option", { value: "" }, "More…"), element.options.map((option, index) => el("option", { value: String(index) }, option.text.text)));
    menu.addEventListener("change", () => act(element, block, { selected_option: element.options[Number(menu.value)] }));
    return menu;
  }
  const control = field({ ...block, element, label: { text: element.placeholder?.text ?? "Choose" } }, { bare: true });
  control.addEventListener("change", () => act(element, block, control.readValue()));
  return control;
}

const feedback = (element, block, act) => [["positive_button", "👍"], ["negative_button", "👎"]].map(([which, sign]) =>
  el("button", {
    type: "button", class: "button", testid: `button-${element.action_id}-${which}`, title: element[which].text.text,
    "aria-label": element[which].accessibility_label ?? element[which].text.text,
    on: { click: () => act(element, block, { value: element[which].value }) },
  }, sign));

function plan(block) {
  const tasks = block.tasks ?? [];
  const done = tasks.filter((one) => one.status === "complete").length;
  return el("div", { testid: "plan" },
    el("div", { class: "plan-title" }, el("strong", {}, withEmoji(block.title)), el("span", { class: "count" }, `${done} of ${tasks.length} complete`)),
    el("ul", {}, tasks.map((one) => el("li", {}, task(one)))));
}

function task(one) {
  const status = one.status ?? "pending";
  const head = [icon(status), el("span", { class: "task-title" }, withEmoji(one.title)), el("span", { class: "task-status" }, STATUS[status])];
  const extra = [
    one.details && el("div", { class: "task-details" }, richText(one.details)),
    one.output && el("div", { class: "task-output" }, richText(one.output)),
    one.sources?.length && el("p", { class: "task-sources" }, one.sources.flatMap((source) => [el("a", { href: source.url, rel: "noreferrer noopener", target: "_blank" }, source.text), " "])),
  ].filter(Boolean);
  return el("div", { class: `task status-${status}`, testid: "task", dataset: { taskId: one.task_id, status } },
    el("div", { class: "task-head" }, head), extra);
}

function table(block) {
  const [head, ...rows] = block.rows;
  const align = (index) => block.column_settings?.[index]?.align ?? "left";
  const row = (cells, tag) => el("tr", {}, cells.map((cell, index) => el(tag, { class: `align-${align(index)}`, scope: tag === "th" ? "col" : null }, tableCell(cell))));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" },
    el("table", {}, el("thead", {}, row(head, "th")), el("tbody", {}, rows.map((cells) => row(cells, "td")))));
}

const tableCell = (cell) => (cell.type === "rich_text" ? richText(cell) : withEmoji(cell.text ?? String(cell.value)));

export function richText(block) {
  return block.elements.map((element) => {
    switch (element.type) {
      case "rich_text_preformatted": return el("pre", {}, element.elements.map(inline));
      case "rich_text_quote": return el("blockquote", {}, element.elements.map(inline));
      case "rich_text_list": return el(element.style === "ordered" ? "ol" : "ul",
        { class: `indent-${element.indent ?? 0}`, start: element.offset ? element.offset + 1 : null },
        element.elements.map((item) => el("li", {}, item.elements.map(inline))));
      default: return el("div", { class: "paragraph" }, element.elements.map(inline));
    }
  });
}

function inline(element) {
  switch (element.type) {
    case "text": return styled(element.text, element.style);
    case "link": return /^(https?:|mailto:)/.test(element.url)
      ? el("a", { href: element.url, rel: "noreferrer noopener", target: "_blank" }, styled(element.text || element.url, element.style))
      : styled(element.text || element.url, element.style);
    case "user": return personChip(element.user_id);
    case "channel": return channelChip(element.channel_id);
    case "usergroup": return groupChip(element.usergroup_id);
    case "broadcast": return broadcastChip(element.range);
    case "emoji": return emoji(element.name);
    case "date": return el("time", {}, element.fallback ?? new Date(element.timestamp * 1000).toLocaleString());
    case "color": return el("code", {}, element.value);
    default: return "";
  }
}

function styled(text, style = {}) {
  let part = text;
  if (style.code) part = el("code", {}, part);
  if (style.bold) part = el("strong", {}, part);
  if (style.italic) part = el("em", {}, part);
  if (style.strike) part = el("s", {}, part);
  return part;
}

// Elements. Whatever comes from outside becomes text here, never markup.

export const by = (id) => document.getElementById(id);

// An element with properties and children; strings become text.
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  const { data, aria, ...plain } = properties;
  Object.assign(made, plain);
  Object.assign(made.dataset, data);
  for (const [key, value] of Object.entries(aria ?? {})) made.setAttribute(`aria-${key}`, value);
  made.append(...children);
  return made;
}

// Sets a text only where it changes: selections and screen readers are left alone.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Makes the children of `parent` those of `items`, in order, each made once for its key. What stays
// where it is keeps the focus and the selection.
export function reconcile(parent, items, keyOf, make, update) {
  const wanted = new Set(items.map((item) => String(keyOf(item))));
  const old = new Map();
  for (const child of [...parent.children]) {
    if (wanted.has(child.dataset.key)) old.set(child.dataset.key, child);
    else child.remove();
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const child = old.get(key) ?? make(item);
    child.dataset.key = key;
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
}

// Said once by a screen reader, and shown below the header.
export const say = (text) => {
  by('said').textContent = text;
};

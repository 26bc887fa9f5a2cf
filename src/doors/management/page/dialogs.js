// Creating and deleting, each in a dialog of its own.

import * as api from './api.js';
import { by, element, say } from './dom.js';
import { bytes, several } from './format.js';
import { all } from './overview.js';

// Opens a dialog; `submit` does what it is for, and closes it unless it throws.
function open(kind, submit) {
  const dialog = by(`${kind}-dialog`);
  const form = by(`${kind}-form`);
  const fault = by(`${kind}-fault`);
  const button = form.querySelector('button:not([type])');
  fault.textContent = '';
  dialog.querySelector('[data-close]').onclick = () => dialog.close();
  form.onsubmit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    fault.textContent = '';
    try {
      await submit();
      dialog.close();
    } catch (error) {
      fault.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  };
  dialog.showModal();
}

// `store`: where events are kept. `done(name)` is called when it is there.
export function create(store, done) {
  const declare = by('declare');
  const limits = [by('retain-age'), by('retain-bytes')];
  by('create-form').reset();
  by('broker').hidden = store !== 'rabbitmq';
  declare.onchange = () => limits.forEach((input) => (input.disabled = !declare.checked));
  declare.onchange();
  open('create', async () => {
    const creation = { routing_key: by('routing-key').value };
    if (declare.checked) {
      creation.declare = true;
      for (const [name, input] of [['retain_age', limits[0]], ['retain_bytes', limits[1]]]) {
        if (input.value.trim()) creation[name] = input.value.trim();
      }
    }
    await api.create(creation);
    say(`Stream ${creation.routing_key} has an address now.`);
    done(creation.routing_key);
  });
}

// Deletes the event stream `id` of `stream`, once it was said what that costs.
export function remove(store, stream, id, done) {
  const last = stream.event_streams.length === 1;
  by('delete-title').textContent = last
    ? `Delete stream ${stream.routing_key}?`
    : `Delete address ${id} of ${stream.routing_key}?`;
  by('lost').replaceChildren(...lost(store, stream, last).map((text) => element('li', {}, text)));
  open('delete', async () => {
    await api.remove(id);
    say(last ? `Stream ${stream.routing_key} is deleted.` : `Address ${id} is deleted.`);
    done(last);
  });
}

function lost(store, stream, last) {
  const said = ['The location stops working at once, for good. Consumers that came through it are closed.'];
  if (!last) return [...said, 'The stream keeps its events, and its other addresses keep working.'];
  said.push(`It is the last address: ${several(all(stream.consumers), 'consumer')} will be closed.`);
  if (store === 'log') {
    const events = stream.next_ordinal - stream.floor;
    const size = bytes(stream.bytes);
    said.push(`${several(events, 'event')} (${size}) will be lost. This can’t be undone.`);
  } else if (store === 'rabbitmq') {
    said.push('Its events stay in RabbitMQ, unless this service made the stream there: then they are lost.');
  }
  return said;
}

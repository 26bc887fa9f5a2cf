// Drives Node `ws`; the line protocol is in README.md.
'use strict';

const readline = require('node:readline');
const { WebSocket } = require('ws');

const connections = new Map();

function tell(id, on, more = {}) {
  process.stdout.write(JSON.stringify({ id, on, ...more }) + '\n');
}

function connect({ id, url, headers = [] }) {
  const socket = new WebSocket(url, {
    headers: Object.fromEntries(headers),
    handshakeTimeout: 60_000,
  });
  connections.set(id, socket);
  let opened = false;
  let refused = false;
  socket.on('open', () => {
    opened = true;
    tell(id, 'open');
  });
  socket.on('message', (data, isBinary) => {
    if (isBinary) tell(id, 'binary');
    else tell(id, 'text', { data: data.toString() });
  });
  socket.on('pong', (data) => tell(id, 'pong', { data: data.toString() }));
  socket.on('unexpected-response', (request, response) => {
    refused = true;
    tell(id, 'refused', { status: response.statusCode });
    request.destroy();
  });
  socket.on('error', (wrong) => {
    if (!opened && !refused) tell(id, 'failed', { why: String(wrong) });
  });
  socket.on('close', (code, reason) => {
    if (opened) tell(id, 'closed', { code, reason: reason.toString() });
  });
}

function send(socket, order) {
  if (order.text !== undefined) return socket.send(order.text);
  if (order.binary !== undefined) return socket.send(Buffer.from(order.binary));
  order.fragments.forEach((part, index) => {
    socket.send(part, { fin: index + 1 === order.fragments.length });
  });
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line);
  const socket = connections.get(order.id);
  if (order.do === 'connect') connect(order);
  else if (order.do === 'send') send(socket, order);
  else if (order.do === 'ping') socket.ping(order.data);
  else if (order.do === 'close') socket.close(order.code, order.reason);
  else throw new Error(line);
}).on('close', () => process.exit(0));

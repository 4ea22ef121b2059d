// A peer of libdatachannel's examples that stays: it answers every call, says back what it
// hears on any channel, and connects again when its WebSocket ends. It knows nothing of what
// rtcsig offers beyond the examples' protocol.
//
//   node staying_peer.mjs SERVER ID
//
// What happens is printed as JSON, one object a line. The process ends by itself.

import nodeDataChannel from "node-datachannel";

const AGAIN_MS = 200;
const LIFE_MS = 120_000;

const [server, id] = process.argv.slice(2);
const connections = new Map();
let socket;

connect();
setTimeout(() => process.exit(0), LIFE_MS);

function print(event, details = {}) {
  console.log(JSON.stringify({ event, ...details }));
}

function connect() {
  socket = new nodeDataChannel.WebSocket();
  let isOver = false;
  const over = () => {
    if (!isOver) {
      isOver = true;
      setTimeout(connect, AGAIN_MS);
    }
  };
  socket.onOpen(() => print("connected"));
  socket.onError(over);
  socket.onClosed(over);
  socket.onMessage((text) => receive(JSON.parse(text)));
  socket.open(`${server}/${id}`);
}

function receive({ id: other, type, description, candidate, mid }) {
  if (type === "offer") {
    connections.set(other, answering(other));
    connections.get(other).setRemoteDescription(description, type);
  } else if (type === "candidate") {
    connections.get(other)?.addRemoteCandidate(candidate, mid);
  }
}

function answering(other) {
  const connection = new nodeDataChannel.PeerConnection(id, {
    iceServers: [],
    bindAddress: "127.0.0.1",
  });
  const send = (message) => socket.sendMessage(JSON.stringify({ id: other, ...message }));
  connection.onLocalDescription((description, type) => send({ type, description }));
  connection.onLocalCandidate((candidate, mid) => send({ type: "candidate", candidate, mid }));
  connection.onDataChannel((channel) => {
    print("open", { label: channel.getLabel() });
    channel.onMessage((text) => channel.sendMessage(`${id} heard: ${text}`));
  });
  return connection;
}

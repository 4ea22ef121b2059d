// A WebRTC peer in a process of its own: libdatachannel's WebSocket and its
// PeerConnection, and the messages of libdatachannel's example programs.
//
//   node datachannel_peer.mjs SERVER ROLE ID [REMOTE]
//
// Roles: `offer` calls REMOTE and `answer` waits for a call, as the example
// clients do; `request` asks REMOTE for a call and `stream` calls whoever asks,
// as the streamer example and its page do. What happens is printed as JSON, one
// object a line. The process ends by itself.

import nodeDataChannel from "node-datachannel";

const CHANNEL = "test";
const TIMEOUT_MS = 30_000;

const [server, role, id, remote] = process.argv.slice(2);
const { begin, receive } = {
  offer: { begin: () => call(remote), receive: receiveAsClient },
  answer: { begin: () => {}, receive: receiveAsClient },
  request: { begin: () => send({ id: remote, type: "request" }), receive: receiveAsPage },
  stream: { begin: () => {}, receive: receiveAsStreamer },
}[role];

const timeout = setTimeout(() => fail("timeout"), TIMEOUT_MS);
const socket = new nodeDataChannel.WebSocket();
const connections = new Map();

socket.onOpen(() => {
  print("connected");
  begin();
});
socket.onError((error) => fail(`WebSocket: ${error}`));
socket.onClosed(() => fail("the server closed the WebSocket"));
socket.onMessage((text) => {
  const message = JSON.parse(text);
  print("received", { message });
  receive(message);
});
socket.open(`${server}/${id}`);

function print(event, details = {}) {
  console.log(JSON.stringify({ event, ...details }));
}

function fail(reason) {
  print("failed", { reason });
  process.exit(1);
}

function send(message) {
  socket.sendMessage(JSON.stringify(message));
}

// -- the example clients: descriptions at once, candidates as they are found --

function call(other) {
  callOn(trickling(other));
}

function receiveAsClient(message) {
  const { id: other, type } = message;
  if (type === "offer" && !connections.has(other)) {
    answerOn(trickling(other));
  }
  // Like the examples: what overtakes its offer is lost.
  const connection = connections.get(other);
  if (type === "offer" || type === "answer") {
    connection?.setRemoteDescription(message.description, type);
  } else if (type === "candidate") {
    connection?.addRemoteCandidate(message.candidate, message.mid);
  }
}

function trickling(other) {
  const connection = connect(other);
  connection.onLocalDescription((description, type) => send({ id: other, type, description }));
  connection.onLocalCandidate((candidate, mid) =>
    send({ id: other, type: "candidate", candidate, mid }),
  );
  return connection;
}

// -- the streamer example: one description each, when all candidates are in it --

function receiveAsPage({ id: other, type, sdp }) {
  if (type === "offer") {
    const connection = gathering(other);
    answerOn(connection);
    connection.setRemoteDescription(sdp, type);
  }
}

function receiveAsStreamer({ id: other, type, sdp }) {
  if (type === "request") {
    callOn(gathering(other));
  } else if (type === "answer") {
    connections.get(other).setRemoteDescription(sdp, type);
  }
}

function gathering(other) {
  const connection = connect(other);
  connection.onGatheringStateChange((state) => {
    if (state === "complete") {
      send({ id: other, ...connection.localDescription() });
    }
  });
  return connection;
}

// -- the connection, and what is said on its channel -----------------------------

function connect(other) {
  const connection = new nodeDataChannel.PeerConnection(id, {
    iceServers: [],
    bindAddress: "127.0.0.1",
  });
  connection.onStateChange((state) => {
    if (state === "failed") {
      fail("the peers did not reach each other");
    }
  });
  connections.set(other, connection);
  return connection;
}

// The caller speaks first, and hangs up when it has its answer: then messages
// have gone both ways.
function callOn(connection) {
  const channel = connection.createDataChannel(CHANNEL);
  channel.onOpen(() => {
    print("open", { label: channel.getLabel() });
    channel.sendMessage(`a call from ${id}`);
  });
  channel.onMessage((text) => {
    print("message", { text });
    finish();
  });
}

function answerOn(connection) {
  connection.onDataChannel((channel) => {
    print("open", { label: channel.getLabel() });
    channel.onMessage((text) => {
      print("message", { text });
      channel.sendMessage(`an answer from ${id}`);
    });
    channel.onClosed(finish);
  });
}

// The end of the WebSocket is not waited for: of some, libdatachannel does not
// tell, though the connection is closed. `cleanup` waits for it unseen.
function finish() {
  clearTimeout(timeout);
  socket.onClosed(() => {});
  for (const connection of connections.values()) {
    connection.close();
  }
  socket.close();
  print("finished");
  nodeDataChannel.cleanup();
}

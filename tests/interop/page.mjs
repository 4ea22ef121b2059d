// A WebRTC peer in a browser, with the messages of libdatachannel's web example.
//
//   page.html?server=URL&role=offer|answer&id=ID[&remote=REMOTE]
//
// What happens is posted as JSON to where the page came from.

const CHANNEL = "test";

const { server, role, id, remote } = Object.fromEntries(new URLSearchParams(location.search));
const connections = new Map();
// Each of these is the end of a chain: what happened is posted in order, and a
// candidate does not overtake its description.
let posted = Promise.resolve();
let received = Promise.resolve();

const socket = new WebSocket(`${server}/${id}`);
socket.onopen = () => {
  post("connected");
  if (role === "offer") {
    attempt(() => call(remote));
  }
};
socket.onclose = () => post("failed", { reason: "the server closed the WebSocket" });
socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  post("received", { message });
  received = received.then(() => attempt(() => receive(message)));
};

function post(event, details = {}) {
  const body = JSON.stringify({ event, ...details });
  posted = posted.then(() => fetch(id, { method: "POST", body }));
}

async function attempt(step) {
  try {
    await step();
  } catch (error) {
    post("failed", { reason: String(error) });
  }
}

function send(message) {
  socket.send(JSON.stringify(message));
}

async function call(other) {
  const connection = connect(other);
  speakFirst(connection.createDataChannel(CHANNEL));
  await describe(connection, other, await connection.createOffer());
}

async function receive(message) {
  const { id: other, type } = message;
  if (type === "offer") {
    const connection = connect(other);
    connection.ondatachannel = ({ channel }) => reply(channel);
    await connection.setRemoteDescription({ type, sdp: message.description });
    await describe(connection, other, await connection.createAnswer());
  } else if (type === "answer") {
    await connections.get(other)?.setRemoteDescription({ type, sdp: message.description });
  } else if (type === "candidate") {
    const { candidate, mid: sdpMid } = message;
    await connections.get(other)?.addIceCandidate({ candidate, sdpMid });
  }
}

async function describe(connection, other, description) {
  await connection.setLocalDescription(description);
  const { type, sdp } = connection.localDescription;
  send({ id: other, type, description: sdp });
}

function connect(other) {
  const connection = new RTCPeerConnection({ iceServers: [] });
  connection.onicecandidate = ({ candidate }) => {
    if (candidate?.candidate) {
      send({
        id: other,
        type: "candidate",
        candidate: candidate.candidate,
        mid: candidate.sdpMid,
      });
    }
  };
  connection.onconnectionstatechange = () => {
    if (connection.connectionState === "failed") {
      post("failed", { reason: "the peers did not reach each other" });
    }
  };
  connections.set(other, connection);
  return connection;
}

// The caller hangs up when it has its answer: then messages have gone both ways.
function speakFirst(channel) {
  channel.onopen = () => {
    post("open", { label: channel.label });
    channel.send(`a call from ${id}`);
  };
  channel.onmessage = ({ data }) => {
    post("message", { text: data });
    finish();
  };
}

function reply(channel) {
  post("open", { label: channel.label });
  channel.onmessage = ({ data }) => {
    post("message", { text: data });
    channel.send(`an answer from ${id}`);
  };
  channel.onclose = finish;
}

function finish() {
  for (const connection of connections.values()) {
    connection.close();
  }
  socket.onclose = () => post("finished");
  socket.close();
}

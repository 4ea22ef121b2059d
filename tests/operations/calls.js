// Run in the demo's page: one client, and calls to peers of libdatachannel's examples through it.
(async () => {
  const { SignallingClient } = await import("/demo/rtcsig.js");
  const client = new SignallingClient(`ws://${location.host}/`, "page");
  const calls = new Map();
  client.addEventListener("message", ({ detail: { from, message } }) => {
    const { type, description, candidate, mid } = message;
    const connection = calls.get(from)?.connection;
    if (type === "answer") connection.setRemoteDescription({ type, sdp: description });
    if (type === "candidate") connection.addIceCandidate({ candidate, sdpMid: mid });
  });
  globalThis.call = async (peer, label) => {
    const connection = new RTCPeerConnection();
    const channel = connection.createDataChannel(label);
    const heard = [];
    const all = { connection, channel, heard };
    calls.set(peer, all);
    globalThis.calls[label] = all;
    channel.addEventListener("message", ({ data }) => heard.push(data));
    connection.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.candidate) {
        client.send(peer, {
          type: "candidate", candidate: candidate.candidate, mid: candidate.sdpMid,
        });
      }
    });
    await connection.setLocalDescription();
    const { type, sdp } = connection.localDescription;
    await client.send(peer, { type, description: sdp });
  };
  globalThis.calls = {};
  globalThis.signalling = client;
  await client.connect();
})()

// PeerServer in a program of one's own, as its README has it.

import { PeerServer } from "peer";

PeerServer({ host: "127.0.0.1", port: Number(process.argv[2]), path: "/" });

// A process of its own, for in a test the runner takes what is thrown for itself.
import { setUpOpen } from "./fakes.js";

process.on("uncaughtException", (error) => console.log("reported:", error.message));

const { client, socket, messages } = setUpOpen();
const listener = () => {
  throw new Error("a handler's own");
};
client.addEventListener("message", listener, { once: true });
for (const text of ["a", "b"]) socket().say({ id: "bob", text });
setImmediate(() => console.log("heard:", ...messages().map(({ text }) => text)));

export type { Message, Options, Outcome } from "./connect.js";
export { open } from "./connect.js";
declare const connect: { open: typeof import("./connect.js").open };
export default connect;

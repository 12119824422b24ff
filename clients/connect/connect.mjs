// The same functions for `import`.
import connect from "./connect.js";

export const open = connect.open;
export default connect;

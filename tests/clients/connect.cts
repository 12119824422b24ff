// The same from CommonJS.
import connect = require("jackfield-connect");

const options: connect.Options = { mode: "modal" };
export const begin = (url: string): Promise<connect.Outcome> => connect.open(url, options);
console.log(typeof connect.open);

// Draws the form of each JSON Schema of standard input (a line: name, schema, valid values), with the code of docs/tutorial/forms.md, and
// prints what is wrong with it, a line each.
import { createInterface } from "node:readline";
import { renderToStaticMarkup } from "react-dom/server";
import { ajv } from "./ajv.mjs";
import { form, validator } from "./rjsf.mjs";

let said = [];
for (const level of ["warn", "error"]) console[level] = (...words) => said.push(words.map(String).join(" ").split("\n")[0]);

const without = (value, name) => Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));

function* faults({ schema, values }) {
  const check = ajv.compile(schema);
  for (const value of values) {
    if (!check(value)) yield `Ajv refuses an example: ${ajv.errorsText(check.errors)}`;
    const { errors } = validator.validateFormData(value, schema);
    if (errors.length) yield `rjsf refuses an example: ${errors[0].stack}`;
    for (const name of schema.required ?? []) {
      const lacking = without(value, name);
      if (check(lacking) || !validator.validateFormData(lacking, schema).errors.length) yield `an example without '${name}' passes`;
    }
  }
  const { validationError } = validator.rawValidation(schema, {});
  if (validationError) yield `rjsf does not compile it: ${validationError.message}`;
  const drawn = renderToStaticMarkup(form(schema));
  const unknown = drawn.match(/[^<>]*un(?:supported|known) field[^<>]*/i);
  if (unknown) yield unknown[0];
  const secrets = Object.values(schema.properties).filter((field) => field.writeOnly && field.type === "string").length;
  const passwords = drawn.match(/type="password"/g)?.length ?? 0;
  if (passwords < secrets) yield `${secrets} secrets, and ${passwords} fields for passwords`;
}

for await (const line of createInterface({ input: process.stdin })) {
  const given = JSON.parse(line);
  said = [];
  try {
    for (const fault of faults(given)) console.log(`${given.name}: ${fault}`);
  } catch (error) {
    console.log(`${given.name}: ${error}`);
  }
  for (const text of new Set(said)) console.log(`${given.name}: ${text}`);
}

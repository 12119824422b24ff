// Reads messages with mailparser, one a line of its input as base64, and prints the addresses of each one's To and Cc fields, in order, as a
// line of JSON; null stands for a message that mailparser cannot read. The argument is the folder of node_modules.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const { simpleParser } = createRequire(`${process.argv[2]}/`)('mailparser')
const options = { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true }
const bare = mailboxes => mailboxes.flatMap(one => one.group ? bare(one.group) : one.address ? [one.address] : [])
const of = field => [field ?? []].flat().flatMap(list => bare(list.value))

for await (const line of createInterface({ input: process.stdin })) {
  const mail = await simpleParser(Buffer.from(line, 'base64'), options).catch(() => null)
  console.log(JSON.stringify(mail && { to: of(mail.to), cc: of(mail.cc) }))
}

// Reads a message from its input with mailparser, and prints what a mail client has to show. The argument is the folder of node_modules.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'

const { simpleParser } = createRequire(`${process.argv[2]}/`)('mailparser')
const mail = await simpleParser(process.stdin, { skipImageLinks: true })
const parts = mail.attachments.map(part => ({
  name: part.filename ?? null, type: part.contentType, disposition: part.contentDisposition ?? null, contentId: part.contentId ?? null,
  parameters: part.headers.get('content-type').params, sha256: createHash('sha256').update(part.content).digest('hex'),
}))
console.log(JSON.stringify({ subject: mail.subject, text: mail.text ?? null, html: mail.html || null, parts }))

// An MCP server over HTTP that has no time for the first call of a tool, and cuts answers off. node busy.mjs FILE: its port is written there.
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [file] = process.argv.slice(2);
let calls = 0;

const server = createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  if (request.method !== 'POST') return response.writeHead(405).end();
  const { id, method, params } = JSON.parse(body);
  const answer = (result) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  };
  if (id === undefined) return response.writeHead(202).end();
  if (method === 'initialize') {
    const serverInfo = { name: 'busy', version: '1' };
    return answer({ protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo });
  }
  if (method === 'tools/list') return answer({ tools: [{ name: 'once', inputSchema: { type: 'object' } }] });
  if (method !== 'tools/call') return answer({});
  if (params.arguments?.cut) return response.writeHead(200, { 'content-type': 'text/event-stream' }).end();
  calls += 1;
  if (calls === 1) return response.writeHead(429, { 'retry-after': '0' }).end();
  appendFileSync(`${file}.done`, '.');
  answer({ content: [{ type: 'text', text: `call ${calls}` }] });
});
server.listen(0, '127.0.0.1', () => {
  writeFileSync(`${file}.new`, String(server.address().port));
  renameSync(`${file}.new`, file);
});

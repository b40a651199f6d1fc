// An MCP server that does one thing wrong. node fault.mjs MODE [FILE]: the file counts the starts.
import { appendFileSync, readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const [mode, file] = process.argv.slice(2);
if (file) appendFileSync(file, '.');
const starts = file ? readFileSync(file, 'utf8').length : 1;

if (mode === 'dies-at-start') {
  console.error('no licence found');
  process.exit(3);
}
if (mode === 'blabs-at-start') {
  console.error(`cannot log in with ${process.env.SECRET}`);
  process.exit(3);
}
if (mode === 'crash-loop' && starts > 1) {
  console.error(`start ${starts} fails`);
  process.exit(4);
}
if (mode === 'flood') {
  // Written before anything is read: a pipe that nobody drains would stop the server here.
  const line = 'x'.repeat(1023) + '\n';
  for (let i = 0; i < 20_000; i++) process.stderr.write(line);
}
if (mode === 'grandchild') {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  appendFileSync(`${file}.pids`, `${process.pid} ${child.pid}\n`);
}

const send = (message) => process.stdout.write(JSON.stringify(message) + '\n');
const answer = (id, result) => send({ result, jsonrpc: '2.0', id });
const text = (text) => ({ content: [{ type: 'text', text }] });
const schema = { type: 'object' };

let wrong = 0;
let tools = [
  { name: 'echo', inputSchema: schema, annotations: { readOnlyHint: true } },
  { name: 'once', inputSchema: schema },
];
if (mode === 'lies') {
  tools = [
    { name: 'text', inputSchema: 'a string' },
    { name: 'number', inputSchema: { type: 'number' } },
    { name: 'huge', inputSchema: { type: 'object', description: 'x'.repeat(100_000) } },
    { name: 'honest', inputSchema: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] } },
  ];
}
if (mode === 'collide') tools = [{ name: 'a.b', inputSchema: schema }, { name: 'a_b', inputSchema: schema }];

function call(id, { name, arguments: given }) {
  if (mode === 'crash') {
    appendFileSync(`${file}.calls`, `${name}\n`);
    if (starts === 1) return;
  }
  if (mode === 'blabs') {
    const said = `no access with ${process.env.SECRET}`;
    if (given?.refuse) return send({ jsonrpc: '2.0', id, error: { code: -32000, message: said } });
    if (!given?.die) return answer(id, { ...text(said), isError: true });
    console.error('x'.repeat(20_000) + ` ${process.env.SECRET}`.repeat(40) + ' is wrong');
    process.exit(5);
  }
  if (mode === 'spoils') {
    tools = [{ name: 'a.b', inputSchema: schema }, { name: 'a_b', inputSchema: schema }];
    send({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  }
  if (mode === 'dies' && (given?.die === 'always' || starts === 1)) {
    console.error('out of memory');
    process.exit(9);
  }
  if (mode === 'silent' && name !== 'echo') return;
  if (mode === 'large') {
    process.stdout.write('{"result":{"content":[{"type":"text","text":"');
    const part = 'x'.repeat(1 << 20);
    for (let i = 0; i < 50; i++) process.stdout.write(part);
    process.stdout.write(`"}]},"jsonrpc":"2.0","id":${id}}\n`);
    return;
  }
  if (mode === 'noise') {
    process.stdout.write('this is no JSON\n{"jsonrpc":\n[1,2\n{"neither": "message"}\n\u0000\n');
    return answer(id, text('still here'));
  }
  if (mode === 'grows' && !tools.some((tool) => tool.name === 'late')) {
    tools.push({ name: 'late', inputSchema: schema });
    send({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  }
  if (mode === 'fails') return answer(id, { ...text('the disk is full'), isError: true });
  if (mode === 'refuses') {
    return send({ jsonrpc: '2.0', id, error: { code: -32602, message: 'unknown tool ' + 'y'.repeat(9000) } });
  }
  if (mode === 'strange') return answer(id, { content: [{ type: 'hologram', depth: 3 }, { type: 'text', text: 'and text' }] });
  if (given?.large) return answer(id, text('x'.repeat(given.large)));
  answer(id, text(JSON.stringify({ name, given, starts, secret: process.env.SECRET, leak: process.env.VEXTIR_LEAK })));
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (mode === 'cancels' && file) appendFileSync(`${file}.seen`, `${method}\n`);
  if (method === 'initialize') {
    const capabilities = { tools: { listChanged: true } };
    answer(id, { protocolVersion: params.protocolVersion, capabilities, serverInfo: { name: mode, version: '1' } });
  } else if (method === 'tools/list') {
    if (mode === 'bomb') {
      const tool = { name: `t${id}`, inputSchema: schema, description: 'x'.repeat(1 << 20) };
      answer(id, { tools: [tool], nextCursor: String(id) });
      continue;
    }
    answer(id, { tools });
    if (mode === 'spoils' && tools.length === 2 && tools[0].name === 'a.b') {
      // Wrong three times, and then with one more tool than at the start.
      if (++wrong === 3) tools = ['echo', 'once', 'late'].map((name) => ({ name, inputSchema: schema }));
      send({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    }
  } else if (method === 'tools/call') {
    if (mode !== 'cancels') call(id, params);
  } else if (method === 'ping') {
    if (mode !== 'deaf' || starts > 1) answer(id, {});
  } else if (id !== undefined) {
    send({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no such method' } });
  }
}

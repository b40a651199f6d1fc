// An MCP client that is not ours: the official SDK. It needs VEXTIR_COMPONENTS, the folder with the npm packages.
//
//   node mcp_client.mjs '[["tools"], ["call", "weather_get", {"location": "Oslo"}]]' stdio COMMAND ARGS..
//   node mcp_client.mjs STEPS http URL TOKEN
//
// Each step prints one line of JSON. `abort` calls a tool, and takes that back as soon as a line is read from the input;
// it ends with the input.
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const { resolve } = createRequire(`${process.env.VEXTIR_COMPONENTS}/node_modules/`);
const load = (path) => import(resolve(`@modelcontextprotocol/sdk/${path}`));
const { Client } = await load('client/index.js');

const [steps, kind, place, ...rest] = process.argv.slice(2);
let transport;
if (kind === 'stdio') {
  const { StdioClientTransport } = await load('client/stdio.js');
  transport = new StdioClientTransport({ command: place, args: rest, env: process.env, stderr: 'inherit' });
} else {
  const { StreamableHTTPClientTransport } = await load('client/streamableHttp.js');
  const requestInit = { headers: { Authorization: `Bearer ${rest[0]}` } };
  transport = new StreamableHTTPClientTransport(new URL(place), { requestInit });
}
const client = new Client({ name: 'not-ours', version: '1' });
// A test harness may have written a line of its own to the output before the server did.
client.onerror = () => {};

async function run([what, ...given]) {
  switch (what) {
    case 'tools': return client.listTools();
    case 'call': return client.callTool({ name: given[0], arguments: given[1] });
    case 'resources': return client.listResources();
    case 'read': return client.readResource({ uri: given[0] });
    case 'together': return Promise.all(given.map(run));
    case 'abort': {
      const abort = new AbortController();
      const lines = createInterface({ input: process.stdin });
      const closed = once(lines, 'close');
      once(lines, 'line').then(() => abort.abort('changed my mind'));
      // Who closes the connection at once may take back the news as well.
      return client.callTool({ name: given[0], arguments: given[1] }, undefined, { signal: abort.signal })
        .finally(() => closed);
    }
    default: throw new Error(`no such step: ${what}`);
  }
}

const print = (value) => console.log(JSON.stringify(value));
try {
  await client.connect(transport);
  for (const step of JSON.parse(steps)) print(await run(step).catch((error) => ({ thrown: String(error) })));
  await client.close();
} catch (error) {
  print({ refused: String(error) });
}
process.exit(0);

// `npm run demo`: patches a sample image on an embedded registry and mirror, on loopback only, and shows what happened.
// Everything it uses is made on the spot; it ends by itself and leaves nothing behind.
import { startToyWorld } from './toy-world.ts';
import { onlay } from './onlay.ts';

await using world = await startToyWorld();
say('An image with upgrades pending lies in a registry:', world.image);
await show(['inspect', world.image]);
say('What would be done:', '');
await show(['plan', '-i', world.image]);
say('Patch it, and push the result beside it:', '');
await show(['patch', '-i', world.image, '--push', '--progress', 'plain']);
say('The patched image:', '');
await show(['inspect', `${world.registry.host}/toys/web:base-patched`]);
const writes = world.registry.requests.filter(
  ({ method, path }) => method === 'PUT' && path.includes('base-patched'),
);
say(
  `The registry saw ${world.registry.requests.length} requests; the tag moved with ${writes.length} of them.`,
  '',
);
say('No daemon, no root, nothing executed, nothing unpacked.', '');

async function show(args: readonly string[]): Promise<void> {
  console.log(`$ onlay ${args.join(' ')}`);
  const run = await onlay(args);
  process.stdout.write(run.stderr + run.stdout);
  if (run.status !== 0) throw new Error(`onlay ${args[0]} ended with status ${run.status}`);
  console.log();
}

function say(text: string, what: string): void {
  console.log(`— ${text}${what === '' ? '' : ` ${what}`}`);
}

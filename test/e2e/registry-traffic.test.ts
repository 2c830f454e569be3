// What a run asks of a registry that gives out tokens, and what --debug says of it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { openRegistry } from '../../src/stores/registry/index.ts';
import { onlay } from '../support/onlay.ts';
import { startRegistry } from '../support/registry.ts';
import { serveFiles } from '../support/serve-files.ts';
import { makeArchive, makeKey } from '../support/toy-archive.ts';
import { NEW, OLD, putToyImage } from '../support/toy-debian.ts';

test('one token serves reading and writing of one repository; --debug logs requests without queries', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'onlay-e2e-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [username, password] = ['me', 'pass'];
  const key = await makeKey();
  await using mirror = await serveFiles(await makeArchive(NEW, { key }));
  await using registry = await startRegistry({ auth: { kind: 'bearer', users: { [username]: password } } });
  const name = `${registry.host}/toys/web:base`;
  await using store = openRegistry(parseReference(name), { env: {}, log: silentLog, username, password });
  await putToyImage(store, OLD, { url: mirror.url, key }, 'base');
  const authfile = join(folder, 'auth.json');
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  writeFileSync(authfile, JSON.stringify({ auths: { [registry.host]: { auth } } }));
  const { tokens } = registry;
  assert.ok(tokens);
  tokens.requests.length = 0;
  registry.requests.length = 0;
  const run = await onlay(['patch', '-i', name, '--push', '--debug', '--authfile', authfile]);
  assert.equal(run.status, 0, run.stderr);
  assert.equal(tokens.requests.length, 1);
  assert.match(
    tokens.requests[0]?.path ?? '',
    /scope=repository(?::|%3A)toys(?:\/|%2F)web(?::|%3A)pull(?:,|%2C)push/,
  );
  const logged = run.stderr.split('\n').filter((line) => line.includes('debug: request'));
  for (const [method, part, status] of [
    ['GET', '/v2/toys/web/manifests/base', 401],
    ['GET', '/token', 200],
    ['PUT', '/v2/toys/web/manifests/base-patched', 201],
    ['GET', '/dists/bookworm/InRelease', 200],
  ] as const)
    assert.ok(
      logged.some(
        (line) => line.includes(`method ${method}, url http`) && line.includes(`${part}, status ${status}`),
      ),
      `${method} ${part} ${status} in\n${logged.join('\n')}`,
    );
  assert.ok(logged.every((line) => !line.includes('?')));
});

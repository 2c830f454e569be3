// `onlay verify` beside `dpkg --verify` on the same root file system, unpacked by umoci.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLayout } from '../../src/stores/layout/index.ts';
import { putImage } from '../support/images.ts';
import { dir, file, symlink } from '../support/layers.ts';
import { onlay } from '../support/onlay.ts';
import { OLD, makeLayer, rootEntries } from '../support/toy-debian.ts';
import { hasTool, runTool } from '../support/tool.ts';

test('verify names the files that dpkg --verify names', async (t) => {
  for (const tool of ['dpkg', 'umoci'])
    if (!hasTool(tool)) return t.skip(`${tool} is not installed (Debian package of that name)`);
  if (process.getuid?.() !== 0) return t.skip('umoci unpacks with owners as root only');
  const folder = mkdtempSync(join(tmpdir(), 'onlay-dpkg-verify-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const store = await openLayout(join(folder, 'layout'), { create: true });
  const base = rootEntries(OLD, { url: 'http://127.0.0.1:9', key: { publicKey: 'none', privateKey: '' } });
  const changed = [
    file('etc/hello.conf', 'greeting=moin\n'),
    file('usr/bin/.wh.greet'),
    file('usr/bin/hello', 'evil'),
    dir('usr/share/doc/libgreet1/', { mode: 0o700 }),
    file('usr/share/doc/libgreet1/copyright', 'toys\n', { mtime: 1 }),
    file('usr/lib/.wh.libgreet.txt'),
    symlink('usr/lib/elsewhere', 'libgreet.txt'),
  ];
  await putImage(store, { layers: [makeLayer(base), makeLayer(changed)] }, 'x');
  runTool('umoci', ['unpack', '--image', `${folder}/layout:x`, join(folder, 'bundle')]);
  const real = runTool('dpkg', [`--root=${folder}/bundle/rootfs`, '--verify']).toString();
  const expected = real
    .split('\n')
    // a "c" marks conffiles, which dpkg lists as well
    .filter((line) => line !== '' && !/^\S+ +c /.test(line))
    .map((line) => line.slice(line.indexOf('/')))
    .sort();
  assert.ok(expected.length >= 3, real);
  const run = await onlay(`verify oci:${folder}/layout:x --json`);
  const found = (JSON.parse(run.stdout) as { problems: { message: string }[] }).problems
    .map(({ message }) => message.replace(/ of .*/, ''))
    .sort();
  assert.deepEqual(found, expected);
});

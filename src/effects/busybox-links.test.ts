import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'node:test';
import { byteString } from '../base/bytes.ts';
import { silentLog } from '../base/log.ts';
import { readTarBytes } from '../archive/tar-read.ts';
import { createDraft } from '../rootfs/draft.ts';
import { memoryRoot } from '../../test/support/memory-root.ts';
import { sharedFolder } from '../../test/support/project.ts';
import { alpineBaselayout } from './alpine-baselayout.ts';
import { readApplets } from './busybox-applets.ts';
import { busyboxLinks } from './busybox-links.ts';
import type { EffectContext, ScriptRun } from './effect.ts';

test('readApplets() finds exactly the links of every Alpine root file system at hand', (t) => {
  const shared = sharedFolder();
  if (shared === undefined) return t.skip('the root file systems of ../shared/data are missing');
  const folder = join(shared, 'data/alpine');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.tar.gz'))) {
    const members = readTarBytes(gunzipSync(readFileSync(join(folder, file))));
    const plain = (path: string): string => path.replace(/^\.\//, '');
    const links = members.filter(({ header }) => header.type === 'symlink' && header.link === '/bin/busybox');
    const program = members.find(({ header }) => plain(header.path) === 'bin/busybox');
    assert.ok(links.length > 250 && program, file);
    assert.deepEqual(
      readApplets(program.content),
      links.map(({ header }) => plain(header.path)).sort(),
      file,
    );
    const scripts = members.find(({ header }) => plain(header.path) === 'lib/apk/db/scripts.tar');
    for (const { header, content } of readTarBytes(scripts?.content ?? new Uint8Array(), {
      dialect: 'apk',
    })) {
      const [, owner = '', kind = ''] = /^([a-z-]+)-\d.*\.([a-z-]+)$/.exec(header.path) ?? [];
      const context = run(memoryRoot({ 'bin/busybox': program.content }), []);
      const script = { package: owner, script: kind, interpreter: '/bin/sh', body: byteString(content) };
      const effect = owner === 'busybox' ? busyboxLinks : alpineBaselayout;
      assert.ok(effect.standsFor(script, context), `${file}: ${header.path} is not known`);
      assert.ok(!effect.standsFor({ ...script, body: `${script.body}\nrm -rf /srv\n` }, context));
    }
  }
});

test('readApplets() answers nothing for programs without the tables', () => {
  assert.equal(readApplets(new Uint8Array()), undefined);
  assert.equal(readApplets(Buffer.from(`\0[\0[[\0acpid\0ash\0cat\0\0`)), undefined);
  assert.equal(readApplets(Buffer.alloc(10_000, 'acpid\0')), undefined);
});

test('busybox links are added where nothing is, stale ones go only in post-upgrade', () => {
  const root = memoryRoot({
    'bin/busybox': program(['ash', 'cat', 'wc'], [1, 1, 3]),
    'bin/ed': { link: '/bin/busybox' },
    'bin/cat': 'a file of the user',
    'sbin/other': '',
    'usr/bin/other': { link: '../../bin/busybox' },
  });
  const triggered = run(root, ['trigger']);
  assert.deepEqual(changes(triggered), ['put bin/ash', 'put sbin/acpid', 'put usr/bin/wc']);
  const upgraded = run(root, ['post-upgrade', 'trigger']);
  assert.deepEqual(changes(upgraded), ['put bin/ash', 'remove bin/ed', 'put sbin/acpid', 'put usr/bin/wc']);
  assert.equal(upgraded.draft.lookup('usr/bin/wc')?.link, '/bin/busybox');
  assert.deepEqual(changes(run(root, [])), []);
});

test('alpine-baselayout gives etc/shadow to its group and modprobe files their suffix', () => {
  const root = memoryRoot({
    'etc/group': 'root:x:0:\n',
    'etc/shadow': 'root:*::0:::::\n',
    'etc/modprobe.d/kms': 'options\n',
    'etc/profile.d/color_prompt.sh': { link: 'color_prompt' },
  });
  const context = run(root, ['pre-upgrade', 'post-upgrade'], 'alpine-baselayout');
  void alpineBaselayout.apply(context);
  const { draft } = context;
  assert.equal(draft.lookup('etc/shadow')?.gid, 42);
  assert.equal(byteString(draft.read('etc/group') ?? new Uint8Array()), 'root:x:0:\nshadow:x:42:\n');
  assert.equal(draft.lookup('etc/modprobe.d/kms'), undefined);
  assert.equal(byteString(draft.read('etc/modprobe.d/kms.conf') ?? new Uint8Array()), 'options\n');
  assert.equal(draft.lookup('etc/profile.d/color_prompt.sh')?.link, 'color_prompt.sh.disabled');
});

function run(
  root: ReturnType<typeof memoryRoot>,
  kinds: readonly string[],
  owner = 'busybox',
): EffectContext {
  const scripts: ScriptRun[] = kinds.map((script) => ({
    package: owner,
    script,
    interpreter: '/bin/sh',
    body: '',
  }));
  return {
    family: 'apk',
    draft: createDraft(root),
    packages: [],
    scripts,
    imageArch: 'amd64',
    epoch: 0,
    log: silentLog,
    compareVersions: () => 0,
    warn: (message) => assert.fail(message),
  };
}

function changes(context: EffectContext): readonly string[] {
  void busyboxLinks.apply(context);
  return context.draft.changes().changes.map(({ kind, path }) => `${kind} ${path}`);
}

/** The two tables as the compiler lays them out; acpid in sbin comes first. */
function program(names: readonly string[], folders: readonly number[]): Uint8Array {
  const packed = Buffer.alloc(Math.ceil((names.length + 1) / 2));
  for (const [index, folder] of [2, ...folders].entries())
    packed[index >> 1] = (packed[index >> 1] ?? 0) | (folder << ((index & 1) * 4));
  const table = Buffer.from(`\0acpid\0${names.join('\0')}\0\0`, 'latin1');
  return Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(64), packed, Buffer.alloc(8), table]);
}

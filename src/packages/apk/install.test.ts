import assert from 'node:assert/strict';
import { gunzipSync, gzipSync } from 'node:zlib';
import { test } from 'node:test';
import { byteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { makeKey, makeRepository } from '../../../test/support/apks.ts';
import type { ToyApk, ToyFile } from '../../../test/support/apks.ts';
import { served, systemRoot, upgradeSystem } from '../../../test/support/apk-system.ts';
import type { Upgraded } from '../../../test/support/apk-system.ts';
import { createDraft } from '../../rootfs/draft.ts';
import type { Draft } from '../../rootfs/draft.ts';
import { readScriptsTar } from './scripts-tar.ts';

const key = makeKey('test.rsa.pub');
const URL = 'https://host/main';
const dir = (path: string, more: Partial<ToyFile> = {}): ToyFile => ({ path, type: 'directory', ...more });
const file = (path: string, content: string, more: Partial<ToyFile> = {}): ToyFile => ({
  path,
  content,
  ...more,
});
const link = (path: string, target: string): ToyFile => ({ path, type: 'symlink', link: target });

/** Installs the old packages with their files, lets the user change something, and upgrades to the new ones. */
async function upgrade(
  old: readonly ToyApk[],
  fresh: readonly ToyApk[],
  options: {
    readonly files?: Readonly<Record<string, string>>;
    readonly user?: (draft: Draft) => void;
    readonly before?: (draft: Draft) => void;
  } = {},
): Promise<Upgraded> {
  const start = createDraft(
    systemRoot({
      installed: old.map(({ name, origin }) => ({
        name,
        version: '0-r0',
        ...(origin === undefined ? {} : { origin }),
      })),
      keys: [key],
      repositories: [URL],
      ...(options.files ? { files: options.files } : {}),
    }),
  );
  options.before?.(start);
  const first = await upgradeSystem(start, served(URL, makeRepository(old, key).files));
  options.user?.(first.draft);
  return upgradeSystem(first.draft, served(URL, makeRepository(fresh, key).files));
}

const text = (root: RootView, path: string): string => byteString(root.read(path) ?? new Uint8Array());
const record = (root: RootView, name: string): string =>
  text(root, 'lib/apk/db/installed')
    .split('\n\n')
    .find((block) => block.includes(`\nP:${name}\n`)) ?? '';
const changed = ({ draft }: Upgraded): readonly string[] =>
  draft
    .changes()
    .changes.map(({ kind, path }) => `${kind} ${path}`)
    .filter((line) => !line.includes('lib/apk/db'));

test('only what differs is written, obsolete files and empty directories leave', async () => {
  const result = await upgrade(
    [
      {
        name: 'a',
        version: '1-r0',
        files: [
          dir('usr'),
          file('usr/same', 'x'),
          file('usr/f', '1'),
          dir('usr/gone'),
          file('usr/gone/f', 'x'),
        ],
      },
    ],
    [{ name: 'a', version: '2-r0', files: [dir('usr'), file('usr/same', 'x'), file('usr/f', '2')] }],
  );
  assert.deepEqual(changed(result), ['put usr/f', 'remove usr/gone']);
  assert.deepEqual(result.installation.removed, ['usr/gone', 'usr/gone/f']);
});

test('a directory becomes a symlink and a file a directory, with a warning; what others put there is kept', async () => {
  const old = [
    {
      name: 'a',
      version: '1-r0',
      files: [dir('usr'), dir('usr/d'), file('usr/d/f', 'x'), file('usr/f', 'x')],
    },
  ];
  const fresh = [
    {
      name: 'a',
      version: '2-r0',
      files: [dir('usr'), link('usr/d', 'e'), dir('usr/f'), file('usr/f/in', 'x')],
    },
  ];
  const plain = await upgrade(old, fresh);
  assert.equal(plain.draft.lookup('usr/d')?.link, 'e');
  assert.equal(text(plain.draft, 'usr/f/in'), 'x');
  assert.equal(plain.installation.warnings.length, 1);
  assert.match(plain.installation.warnings[0] ?? '', /usr\/d was a directory/);
  const mine = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, content: Buffer.from('mine') } as const;
  const kept = await upgrade(old, fresh, { user: (draft) => draft.put('usr/d/mine', mine) });
  assert.equal(text(kept.draft, 'usr/d/mine'), 'mine');
  assert.match(kept.installation.warnings.join('\n'), /usr\/d of a was left out/);
  assert.match(record(kept.draft, 'a'), /\nf:f\n/);
});

test('in an image with usr-merged folders files land behind the link, and old names do not delete new files', async () => {
  const before = (draft: Draft): void => {
    draft.put('usr/lib', { type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0 });
    draft.put('usr/lib/apk/db/installed', {
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: 0,
      content: draft.read('lib/apk/db/installed') ?? new Uint8Array(),
    });
    draft.remove('lib');
    draft.put('lib', { type: 'symlink', mode: 0o777, uid: 0, gid: 0, mtime: 0, link: 'usr/lib' });
  };
  const { draft } = await upgrade(
    [{ name: 'a', version: '1-r0', files: [dir('lib'), file('lib/so', '1')] }],
    [{ name: 'a', version: '2-r0', files: [dir('usr'), dir('usr/lib'), file('usr/lib/so', '2')] }],
    { before },
  );
  assert.equal(draft.lookup('lib')?.type, 'symlink');
  assert.equal(text(draft, 'usr/lib/so'), '2');
  assert.equal(draft.lookup('usr/lib/apk/db/installed')?.path, 'usr/lib/apk/db/installed');
});

test('a clash without replaces leaves the file to its owner, as apk does', async () => {
  const { draft, installation } = await upgrade(
    [
      { name: 'a', version: '1-r0', files: [dir('usr'), file('usr/f', 'a')] },
      { name: 'b', version: '1-r0', files: [dir('usr')] },
    ],
    [{ name: 'b', version: '2-r0', files: [dir('usr'), file('usr/f', 'b')] }],
  );
  assert.equal(text(draft, 'usr/f'), 'a');
  assert.match(record(draft, 'b'), /\nf:f\n/);
  assert.doesNotMatch(record(draft, 'b'), /R:f/);
  assert.match(installation.warnings.join('\n'), /belongs to a and is in b/);
});

test('outcomes of protected files are told', async () => {
  const files = (version: string): ToyFile[] => [
    dir('etc'),
    ...['plain', 'edited', 'deleted', 'same'].map((name) => file(`etc/${name}`, version)),
  ];
  const put = (draft: Draft, path: string, content: string): void =>
    draft.put(path, { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, content: Buffer.from(content) });
  const { installation, draft } = await upgrade(
    [{ name: 'a', version: '1-r0', files: [...files('1'), file('etc/left', '1')] }],
    [{ name: 'a', version: '2-r0', files: files('2') }],
    {
      user: (view) => {
        put(view, 'etc/edited', 'mine');
        put(view, 'etc/left', 'mine');
        put(view, 'etc/same', '2');
        view.remove('etc/deleted');
      },
    },
  );
  assert.deepEqual(
    installation.conffiles
      .map(({ path, action, beside }) => `${path} ${action} ${beside ?? ''}`.trim())
      .sort(),
    [
      'etc/deleted restored',
      'etc/edited kept-new-beside etc/edited.apk-new',
      'etc/left obsolete',
      'etc/plain replaced',
      'etc/same kept',
    ],
  );
  assert.equal(text(draft, 'etc/edited'), 'mine');
  assert.equal(text(draft, 'etc/edited.apk-new'), '2');
});

test('triggers fire for directories that changed; scripts of removed packages are told', async () => {
  const watcher: ToyApk = {
    name: 'watcher',
    version: '1-r0',
    triggers: ['/usr/bin', '/opt/*'],
    scripts: { trigger: '#!/bin/sh\n' },
  };
  const { installation } = await upgrade(
    [
      watcher,
      {
        name: 'a',
        version: '1-r0',
        files: [dir('usr'), dir('usr/bin'), file('usr/bin/f', '1')],
        scripts: { 'post-deinstall': '#!/bin/sh\n' },
      },
    ],
    [
      watcher,
      {
        name: 'b',
        version: '2-r0',
        files: [dir('usr'), dir('usr/bin'), file('usr/bin/f', '2')],
        provides: ['a=2-r0'],
        replaces: ['a'],
      },
    ],
  );
  assert.deepEqual(
    installation.scripts.map(({ package: owner, script }) => `${owner} ${script.name} ${script.interpreter}`),
    ['a post-deinstall /bin/sh', 'watcher trigger /bin/sh'],
  );
});

test('up to apk 2.12 records keep their place, apk 3 keeps a compressed scripts.tar with hexadecimal labels', async () => {
  const tools = (version: string): ToyApk => ({ name: 'apk-tools', version });
  const b = (version: string): ToyApk => ({
    name: 'b',
    version,
    scripts: { 'post-upgrade': `#!/bin/sh\n# ${version}\n` },
  });
  const z = (version: string): ToyApk => ({ name: 'a', version });
  const names = (root: RootView): string =>
    [...text(root, 'lib/apk/db/installed').matchAll(/^P:(.*)$/gm)].map(([, name]) => name).join(' ');
  const unsorted = await upgrade([z('1-r0'), tools('2.12.14-r0'), b('1-r0')], [z('2-r0')]);
  assert.equal(names(unsorted.draft).split(' ').at(-1), 'a');
  const packed = await upgrade([tools('3.0.6-r0'), b('1-r0')], [b('2-r0')], {
    user: (draft) => {
      const content = draft.read('lib/apk/db/scripts.tar') ?? new Uint8Array();
      draft.remove('lib/apk/db/scripts.tar');
      draft.put('lib/apk/db/scripts.tar.gz', {
        type: 'file',
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: 0,
        content: gzipSync(content),
      });
    },
  });
  assert.equal(names(packed.draft), 'apk-tools b');
  assert.equal(packed.draft.lookup('lib/apk/db/scripts.tar'), undefined);
  const { scripts } = readScriptsTar(
    gunzipSync(packed.draft.read('lib/apk/db/scripts.tar.gz') ?? new Uint8Array()),
    'scripts',
  );
  assert.deepEqual(
    scripts.map(({ package: owner, checksum, kind }) => `${owner} ${checksum.slice(0, 2)} ${kind}`),
    ['b-2-r0 X1 post-upgrade'],
  );
});

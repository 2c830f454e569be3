import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/log.ts';
import { byteString } from '../base/bytes.ts';
import { createDraft } from '../rootfs/draft.ts';
import type { Draft } from '../rootfs/draft.ts';
import { compareVersions } from '../packages/dpkg/version.ts';
import { memoryRoot } from '../../test/support/memory-root.ts';
import type { EffectContext, ScriptRun } from './effect.ts';
import { makeEarlyAccounts, runEffects, type ScriptVerdict } from './index.ts';

const PROGRAMS =
  'adduser addgroup chmod chown dpkg dpkg-divert dpkg-statoverride dpkg-trigger dpkg-maintscript-helper deb-systemd-helper getent groupadd invoke-rc.d ldconfig ln mkdir py3compile rm rmdir systemctl touch update-alternatives update-rc.d useradd';

const FILES = {
  ...Object.fromEntries(PROGRAMS.split(' ').map((name) => [`usr/sbin/${name}`, { program: true }])),
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  'etc/group': 'root:x:0:\nadm:x:4:root\nnogroup:x:65534:\n',
  'etc/shadow': 'root:*:20000:0:99999:7:::\n',
  'etc/gshadow': 'root:*::\n',
  'etc/known': 'text\n',
  'etc/localtime': { link: '/usr/share/zoneinfo/Etc/UTC' },
  'etc/timezone': 'Etc/UTC\n',
  'usr/share/zoneinfo/Etc/UTC': 'TZif',
  'usr/share/debconf/confmodule': '#!/bin/sh\n',
  'var/cache/debconf/config.dat':
    'Name: p/colour\nTemplate: p/colour\nValue: green\nOwners: p\nFlags: seen\n\n',
  'var/lib/dpkg/alternatives/editor': 'auto\n/usr/bin/editor\n\n/bin/ed\n10\n\n',
  'etc/alternatives/editor': { link: '/bin/ed' },
  'usr/bin/editor': { link: '/etc/alternatives/editor' },
  'bin/ed': 'ed',
  'var/lib/dpkg/triggers/doc-index': 'indexer/noawait\n',
  'var/lib/dpkg/info/indexer.postinst': '#!/bin/sh\n[ "$1" = triggered ] && make-index\n',
  'usr/bin/make-index': { program: true },
};

function image(): Draft {
  const { files, programs } = Object.entries(FILES).reduce<{
    files: Record<string, string | { readonly link: string }>;
    programs: string[];
  }>(
    (sorted, [path, content]) => {
      if (typeof content === 'object' && 'program' in content) sorted.programs.push(path);
      else sorted.files[path] = content;
      return sorted;
    },
    { files: {}, programs: [] },
  );
  const draft = createDraft(memoryRoot(files));
  for (const path of programs)
    draft.put(path, { type: 'file', mode: 0o755, uid: 0, gid: 0, mtime: 0, content: new Uint8Array() });
  draft.put('srv/a/b', { type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0 });
  // what is in `base` is what the scripts see before the upgrade
  return createDraft(draft);
}

async function judge(
  body: string,
  {
    script = 'postinst',
    from = '1.0',
    family = 'dpkg',
  }: {
    readonly script?: string;
    readonly from?: string | undefined;
    readonly family?: EffectContext['family'];
  } = {},
): Promise<{ readonly draft: Draft; readonly verdicts: readonly ScriptVerdict[] }> {
  const draft = image();
  const run: ScriptRun = {
    package: 'p',
    script,
    interpreter: '/bin/sh',
    body: `#!/bin/sh\nset -e\n${body}\n`,
  };
  const verdicts = await runEffects({
    family,
    draft,
    packages: [{ name: 'p', arch: 'amd64', from: from === 'new' ? undefined : from, to: '2.0' }],
    scripts: [run],
    imageArch: 'amd64',
    epoch: 20_000 * 86_400,
    log: silentLog,
    compareVersions,
    warn: (message) => assert.fail(message),
  });
  return { draft, verdicts };
}

/** By what a verdict is, without digests. */
function shown({ action, by }: ScriptVerdict): string {
  return `${action}: ${by.replace(/ \(\/bin.*/, '')}`;
}

for (const [body, expected] of [
  ['exit 0', 'no-op: nothing to do'],
  ['invoke-rc.d p restart || true', 'no-op: nothing to do: invoke-rc.d'],
  ['if [ "$1" = remove ]; then rm -rf /etc; fi', 'no-op: nothing to do'],
  ['case "$1" in configure) ;; *) touch /etc/x ;; esac', 'no-op: nothing to do'],
  ['if dpkg --compare-versions "$2" lt 0.9~; then touch /etc/x; fi', 'no-op: nothing to do: dpkg'],
  ['if dpkg --compare-versions "$2" lt-nl 1.1; then touch /etc/x; fi', 'not-run: would run: touch /etc/x'],
  ['touch /etc/known; rm -f /etc/gone; mkdir -p /etc', 'no-op: nothing to do: mkdir, rm, touch'],
  ['rm -f /etc/known', 'not-run: would run: rm -f /etc/known'],
  ['echo text > /etc/known', 'no-op: nothing to do'],
  ['echo other > /etc/known', 'not-run: would run: > /etc/known'],
  ['echo text >> /etc/known', 'not-run: would run: >> /etc/known'],
  ['echo x > /run/p.pid; echo y >/dev/null 2>&1', 'no-op: nothing to do'],
  ['make-index', 'not-run: would run: make-index'],
  [
    'make-index || true; [ -e /etc/gone ] || make-index --all',
    'not-run: would run: make-index; make-index --all',
  ],
  ['if make-index; then exit 0; fi; touch /etc/x', 'not-run: would run: make-index; touch /etc/x'],
  ['x=$(make-index); rm -f "/etc/$x"', 'not-run: would run: make-index; rm -f /etc/…'],
  ['if make-index --version; then exit 0; fi', 'no-op: nothing to do: make-index'],
  ['gone-program --all', 'no-op: nothing to do: gone-program'],
  ['if command -v gone-program >/dev/null; then touch /etc/x; fi', 'no-op: nothing to do'],
  ['f() { [ "$1" = a ] && return 0; touch /etc/x; }; f a', 'no-op: nothing to do'],
  ['for i in a b; do touch "/etc/$i"; done', 'not-run: would run: touch /etc/a; touch /etc/b'],
  [
    '. /usr/share/debconf/confmodule; db_get p/colour; [ "$RET" = green ] || touch /etc/x',
    'no-op: nothing to do: db_get',
  ],
  [
    '. /usr/share/debconf/confmodule; db_get p/shape; [ "$RET" = round ] || touch /etc/x',
    'not-run: would run: touch /etc/x',
  ],
  [
    '. /usr/share/debconf/confmodule; db_get tzdata/Areas; a=$RET; db_get tzdata/Zones/$a; echo "$a/$RET" > /etc/timezone',
    'no-op: nothing to do: db_get',
  ],
  ['. /etc/gone', 'not-run: would run: . /etc/gone'],
  [
    'update-alternatives --install /usr/bin/editor editor /bin/ed 10',
    'no-op: nothing to do: update-alternatives',
  ],
  ['update-alternatives --install /usr/bin/editor editor /bin/ed 50', 'emulated: alternatives'],
  [
    'update-alternatives --install /usr/bin/editor editor /bin/ed 50 --slave /usr/share/man/man1/editor.1.gz editor.1.gz /etc/known',
    'not-run: would run: update-alternatives --install /usr/bin/editor editor /bin/ed 50 --slave /usr/share/man/man1/editor.1.gz editor.1.gz /etc…',
  ],
  ['update-alternatives --remove pager /bin/more', 'no-op: nothing to do: update-alternatives'],
  ['update-alternatives --remove editor /bin/ed', 'emulated: alternatives'],
  [
    'rmdir -p --ignore-fail-on-non-empty /srv/a/b /etc; rmdir /gone || true',
    'emulated: shell: rmdir -p --ignore-fail-on-non-empty /srv/a/b /etc',
  ],
  ['ldconfig', 'emulated: ldconfig'],
  ['py3compile -p p', 'emulated: python-bytecode'],
  ['rm -rf /usr/lib/p/__pycache__', 'emulated: python-bytecode'],
  [
    'chmod 0600 /etc/known; chown root:adm /etc/known',
    'emulated: shell: chmod 0600 /etc/known; chown root:adm /etc/known',
  ],
  ['chmod 0600 /etc/known; make-index', 'not-run: would run: make-index'],
  ['ln -s known /etc/also-known', 'emulated: shell: ln -s known /etc/also-known'],
  ['if make-index; then chmod 0600 /etc/known; fi', 'not-run: would run: make-index; chmod 0600 /etc/known'],
  ['trap "rm -f /etc/known" EXIT', 'not-run: would run: rm -f /etc/known'],
  ['eval "touch /etc/x"', 'not-run: would run: touch /etc/x'],
  ['sh -c "touch /etc/x"', 'not-run: would run: touch /etc/x'],
  ['find /etc -name x -exec rm {} +', 'no-op: nothing to do: find'],
  ['echo $(touch /etc/x) `touch /etc/y`', 'not-run: would run: touch /etc/x; touch /etc/y'],
  ['cat <<E\n$(touch /etc/x)\nE', 'not-run: would run: touch /etc/x'],
  ['while true; do make-index; done', 'not-run: not understood'],
  ['make-index &', 'not-run: not understood'],
] as const)
  test(`the verdict on ${JSON.stringify(body)} is ${JSON.stringify(expected)}`, async () => {
    assert.deepEqual((await judge(body)).verdicts.map(shown), [expected]);
  });

test('a script of another interpreter is not understood, and named by its digest', async () => {
  const draft = image();
  const [verdict] = await runEffects({
    family: 'dpkg',
    draft,
    packages: [{ name: 'p', arch: 'amd64', from: '1', to: '2' }],
    scripts: [{ package: 'p', script: 'postinst', interpreter: '/usr/bin/perl', body: 'exit 0' }],
    imageArch: 'amd64',
    epoch: 0,
    log: silentLog,
    compareVersions,
    warn: (message) => assert.fail(message),
  });
  assert.deepEqual(verdict, {
    package: 'p',
    name: 'postinst',
    action: 'not-run',
    by: 'not understood (/usr/bin/perl, sha256:c22995adc29757a99bc9242926a5d5b5a8007ecc78f30943161cf072af42d9d2)',
  });
});

test('what a script would do before the new files come is compared with the image after', async () => {
  assert.deepEqual(
    (
      await judge('[ "$1" = upgrade ] && [ "$2" = 1.0 ] && chmod 600 /etc/known', { script: 'preinst' })
    ).verdicts.map(shown),
    ['not-run: would run: chmod 600 /etc/known'],
  );
  assert.deepEqual(
    (await judge('[ "$1 $2" = "upgrade 2.0" ]; rm -f /etc/gone', { script: 'prerm' })).verdicts.map(shown),
    ['no-op: nothing to do: rm'],
  );
});

test('a trigger that a script activates is judged too, as the script of whoever is interested', async () => {
  const { verdicts } = await judge('dpkg-trigger --no-await doc-index');
  assert.deepEqual(
    verdicts.map((verdict) => `${verdict.package} ${verdict.name} ${shown(verdict)}`),
    [
      'p postinst no-op: nothing to do: dpkg-trigger',
      'indexer postinst triggered not-run: would run: make-index',
    ],
  );
});

test('accounts of a new package are made, also where the rest of the script is not run', async () => {
  const { draft, verdicts } = await judge(
    'if [ -z "$2" ]; then adduser --system --group --home /var/lib/p p; chmod 600 /etc/known; make-index; fi',
    { from: 'new' },
  );
  assert.deepEqual(verdicts.map(shown), ['not-run: would run: chmod 600 /etc/known; make-index']);
  const lines = (path: string): string | undefined =>
    Buffer.from(draft.read(path) ?? [])
      .toString()
      .split('\n')
      .at(-2);
  assert.equal(lines('etc/passwd'), 'p:x:100:100::/var/lib/p:/usr/sbin/nologin');
  assert.equal(lines('etc/group'), 'p:x:100:');
  assert.equal(draft.lookup('etc/known')?.mode, 0o644);
});

test('the count of versions of an rpm script says whether it is an upgrade', async () => {
  assert.deepEqual(
    (await judge('if [ $1 -eq 1 ]; then touch /etc/x; fi', { script: '%post', family: 'rpm' })).verdicts.map(
      shown,
    ),
    ['no-op: nothing to do'],
  );
  assert.deepEqual(
    (
      await judge('if [ $1 -eq 0 ]; then touch /etc/x; fi', { script: '%postun', family: 'rpm' })
    ).verdicts.map(shown),
    ['no-op: nothing to do'],
  );
  assert.deepEqual(
    (await judge('touch /etc/x &> /dev/null', { script: '%post', family: 'rpm' })).verdicts.map(shown),
    ['not-run: would run: touch /etc/x'],
  );
});

test('effects are idempotent: run again on their own result they change nothing', async () => {
  const { draft } = await judge('chmod 600 /etc/known; ln -s known /etc/also-known; adduser --system p', {
    from: 'new',
  });
  const again = createDraft(draft);
  await runEffects({
    family: 'dpkg',
    draft: again,
    packages: [{ name: 'p', arch: 'amd64', from: undefined, to: '2.0' }],
    scripts: [
      {
        package: 'p',
        script: 'postinst',
        interpreter: '/bin/sh',
        body: 'chmod 600 /etc/known; ln -s known /etc/also-known; adduser --system p',
      },
    ],
    imageArch: 'amd64',
    epoch: 1,
    log: silentLog,
    compareVersions,
    warn: (message) => assert.fail(message),
  });
  assert.deepEqual(again.changes().changes, []);
});

test('accounts of scripts that come before the files are made first, and are what the script is said to have done', async () => {
  const draft = image();
  const run = (script: string, body: string): ScriptRun => ({
    package: 'p',
    script,
    interpreter: '/bin/sh',
    body,
  });
  const context: EffectContext = {
    family: 'rpm',
    draft,
    packages: [{ name: 'p', arch: 'x86_64', from: undefined, to: '2-1' }],
    scripts: [
      run('%pre', 'getent group web >/dev/null || groupadd -r web\nexit 0\n'),
      run('%post', 'groupadd -r later\n'),
    ],
    imageArch: 'amd64',
    epoch: 0,
    log: silentLog,
    compareVersions,
    warn: (message) => assert.fail(message),
  };
  const group = (): string => byteString(draft.read('etc/group') ?? new Uint8Array());
  const made = makeEarlyAccounts(context);
  assert.match(group(), /^web:x:999:$/m);
  assert.doesNotMatch(group(), /^later:/m);
  const verdicts = await runEffects(context, made);
  assert.deepEqual(verdicts.map(shown), ['emulated: accounts', 'emulated: accounts']);
  assert.equal(group().match(/^web:/gm)?.length, 1);
  assert.match(group(), /^later:x:998:$/m);
});

test('an alternative that is removed before an upgrade and installed after it is not lost', async () => {
  const shownFor = async (postinst: string): Promise<{ verdicts: string[]; record: boolean }> => {
    const draft = image();
    const run = (script: string, body: string): ScriptRun => ({
      package: 'p',
      script,
      interpreter: '/bin/sh',
      body: `#!/bin/sh\n${body}\n`,
    });
    const verdicts = await runEffects({
      family: 'dpkg',
      draft,
      packages: [{ name: 'p', arch: 'amd64', from: '1', to: '2' }],
      scripts: [run('prerm', 'update-alternatives --remove editor /bin/ed'), run('postinst', postinst)],
      imageArch: 'amd64',
      epoch: 0,
      log: silentLog,
      compareVersions,
      warn: (message) => assert.fail(message),
    });
    return {
      verdicts: verdicts.map(({ action }) => action),
      record: draft.lookup('etc/alternatives/editor') !== undefined,
    };
  };
  const install = 'update-alternatives --install /usr/bin/editor editor /bin/ed 10';
  assert.deepEqual(await shownFor(install), { verdicts: ['no-op', 'no-op'], record: true });
  assert.deepEqual(await shownFor(`make-index && ${install}`), {
    verdicts: ['no-op', 'not-run'],
    record: true,
  });
  assert.deepEqual(await shownFor(`make-index & ${install}`), {
    verdicts: ['no-op', 'not-run'],
    record: true,
  });
  assert.deepEqual(await shownFor('exit 0'), { verdicts: ['emulated', 'no-op'], record: false });
});

// Every effect of src/effects/index.ts: nothing happens where nothing was changed, nothing of an image makes it fail
// otherwise than with an OnlayError, every script gets a verdict, and running twice is as running once. A new effect is
// tested by its line there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { silentLog } from '../../src/base/log.ts';
import type { Effect, EffectContext, ScriptRun } from '../../src/effects/effect.ts';
import { effects, runEffects } from '../../src/effects/index.ts';
import { UNKNOWN } from '../../src/effects/shell/unknown.ts';
import { OnlayError } from '../../src/errors.ts';
import { families } from '../../src/packages/index.ts';
import type { Draft } from '../../src/rootfs/draft.ts';
import { createDraft } from '../../src/rootfs/draft.ts';
import { memoryRoot } from '../support/memory-root.ts';

type Files = Parameters<typeof memoryRoot>[0];

function contextOf(
  files: Files,
  {
    family = 'dpkg',
    scripts = [],
    packages = [],
  }: Partial<Pick<EffectContext, 'family' | 'scripts' | 'packages'>> = {},
): EffectContext & { readonly warnings: string[] } {
  const warnings: string[] = [];
  const found = families.find(({ name }) => name === family);
  assert.ok(found);
  return {
    family,
    // `memoryRoot` is a draft itself, so that what is below this one is an image
    draft: createDraft(memoryRoot(files)),
    packages,
    scripts,
    imageArch: 'amd64',
    epoch: 1_700_000_000,
    log: silentLog,
    compareVersions: found.compareVersions,
    warn: (message) => warnings.push(message),
    warnings,
  };
}

const paths = (draft: Draft): readonly string[] => draft.changes().changes.map(({ path }) => path);

/** Anything but an OnlayError fails the test. */
async function orRefused(run: () => void | Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof OnlayError)) throw error;
    assert.notEqual(error.code, 'INTERNAL', error.message);
  }
}

const script = (body: string, more: Partial<ScriptRun> = {}): ScriptRun => ({
  package: 'a',
  script: 'postinst',
  interpreter: '/bin/sh',
  body,
  ...more,
});

const LINES = [
  '#!/bin/sh',
  'set -e',
  'if [ "$1" = configure ]; then',
  'fi',
  'case "$1" in',
  'configure) ldconfig ;;',
  'esac',
  'ldconfig',
  'update-ca-certificates',
  'rm -rf /',
  'rm -f "$DPKG_ROOT/etc/x"',
  'mkdir -p /etc/a/b',
  'ln -s ../../../../etc/shadow /etc/x',
  'chmod 4755 /bin/sh',
  'echo "$(cat /etc/passwd)" > /etc/y',
  'useradd -r a || true',
  'while true; do :; done',
  'f() { f; }; f',
  'exec /bin/sh -c "$0"',
  'dpkg-trigger --no-await ldconfig',
  'update-alternatives --install /usr/bin/x x /usr/bin/y 10',
  '. /usr/share/debconf/confmodule',
  'eval "$x"',
  'cat <<EOT\n$x\nEOT',
  '/bin/busybox --install -s',
  'py3compile -p a',
];
const body: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.constantFrom(...LINES), { maxLength: 8 }).map((lines) => lines.join('\n')),
  fc.string({ maxLength: 200 }),
  fc
    .array(fc.constantFrom(...'(){}[]$`"\'\\;&|<>!#*? \n'.split(''), 'if', 'fi', 'do', '$(', '${', 'EOF'), {
      maxLength: 40,
    })
    .map((parts) => parts.join('')),
);
const run: fc.Arbitrary<ScriptRun> = fc
  .tuple(
    body,
    fc.constantFrom('postinst', 'prerm', 'trigger', '%post', '%posttrans', 'post-upgrade', 'x'.repeat(300)),
    fc.constantFrom('/bin/sh', '', '<lua>', '/usr/bin/perl -w', '/bin/busybox sh', '../../bin/sh', '\u0000'),
    fc.constantFrom('a', 'libc6', 'ca-certificates', 'busybox', 'python3.11-minimal', 'glibc', '__proto__'),
  )
  .map(([text, name, interpreter, owner]) => script(text, { script: name, interpreter, package: owner }));

/** Files that effects look for, holding what they should not. */
const LOOKED_FOR = [
  'etc/ld.so.cache',
  'etc/ld.so.conf',
  'etc/ld.so.conf.d/x.conf',
  'usr/lib/libx.so.1',
  'usr/lib64/libx.so.1.2',
  'etc/ca-certificates.conf',
  'etc/ssl/certs/ca-certificates.crt',
  'usr/share/ca-certificates/mozilla/a.crt',
  'usr/local/share/ca-certificates/a.crt',
  'bin/busybox',
  'etc/busybox-paths.d/busybox',
  'usr/lib/python3/dist-packages/a.py',
  'usr/lib/python3.11/a.py',
  'usr/lib/python3.11/__pycache__/a.cpython-311.pyc',
  'etc/passwd',
  'etc/group',
  'etc/shadow',
  'etc/shells',
];
const content: fc.Arbitrary<string | Uint8Array | { readonly link: string }> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .tuple(
      fc.constantFrom(
        '\u007fELF\u0002\u0001\u0001',
        'glibc-ld.so.cache1.1\u00ff\u00ff\u00ff\u007f',
        'ld.so-1.7.0\u0000\u00ff\u00ff\u00ff\u007f',
        '-----BEGIN CERTIFICATE-----\n',
        'include /etc/ld.so.conf\ninclude /*\n',
      ),
      fc.uint8Array({ maxLength: 200 }),
    )
    .map(([magic, rest]) => Buffer.concat([Buffer.from(magic, 'latin1'), rest])),
  fc.constantFrom({ link: 'loop' }, { link: '/' }, { link: '../../../..' }, { link: '/etc/passwd' }),
);
const image: fc.Arbitrary<Files> = fc.dictionary(fc.constantFrom(...LOOKED_FOR), content, { maxKeys: 8 });

test('names of effects are unique, and their families exist', () => {
  const names = effects.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  for (const effect of effects) {
    assert.match(effect.name, /^[a-z][a-z0-9-]+$/);
    assert.ok(effect.families.length > 0);
    for (const family of effect.families) assert.ok(families.some(({ name }) => name === family));
  }
});

for (const effect of effects) {
  const { name } = effect;
  const eachFamily = (use: (family: Effect['families'][number]) => Promise<void>): Promise<void> =>
    effect.families.reduce((before, family) => before.then(() => use(family)), Promise.resolve());

  test(`${name} changes nothing in an image where nothing was changed`, async () => {
    await eachFamily(async (family) => {
      for (const files of [{}, { 'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n', 'bin/busybox': 'x' }]) {
        const context = contextOf(files, { family });
        await effect.apply(context);
        assert.deepEqual(paths(context.draft), []);
        assert.deepEqual(context.warnings, []);
      }
    });
  });

  test(`${name} judges any script and any command without failing`, async () => {
    const word = fc.oneof(fc.constantFrom(name, UNKNOWN, '', '-p', '/', `/etc/${UNKNOWN}`), fc.string());
    await eachFamily((family) =>
      fc.assert(
        fc.asyncProperty(image, run, fc.array(word, { maxLength: 5 }), async (files, one, command) => {
          const context = contextOf(files, { family, scripts: [one] });
          await orRefused(() => {
            assert.equal(typeof effect.standsFor(one, context), 'boolean');
            assert.ok(['string', 'undefined'].includes(typeof effect.noOp?.(one, context)));
            assert.ok(['boolean', 'undefined'].includes(typeof effect.covers?.(command, context)));
          });
          assert.deepEqual(paths(context.draft), [], 'to judge is not to do');
        }),
        { numRuns: 100 },
      ),
    );
  });

  test(`${name} meets a hostile image, and running twice is as running once`, async () => {
    await eachFamily((family) =>
      fc.assert(
        fc.asyncProperty(image, image, run, async (below, above, one) => {
          const packages = [{ name: one.package, arch: 'amd64', from: '1', to: '2' }];
          const context = contextOf(below, { family, scripts: [one], packages });
          await orRefused(async () => {
            const written = memoryRoot(above);
            for (const node of written.walk('')) {
              if (node.path === '' || node.type === 'directory') continue;
              const bytes =
                node.type === 'file' ? { content: written.read(node.path) ?? new Uint8Array() } : {};
              context.draft.put(node.path, {
                type: node.type,
                mode: 0o755,
                uid: 0,
                gid: 0,
                mtime: 0,
                link: node.link,
                ...bytes,
              });
            }
            await effect.apply(context);
            const once = JSON.stringify(context.draft.changes());
            await effect.apply(context);
            assert.equal(JSON.stringify(context.draft.changes()), once);
          });
        }),
        { numRuns: 100 },
      ),
    );
  });

  test(`${name} keeps little of an image, and its inspectors take any content`, () => {
    for (const path of ['home/film.mkv', 'var/lib/data.db', 'srv/x.iso'])
      for (const size of [1000, 2 ** 40]) assert.ok(!effect.captures?.(path, size), path);
    for (const path of ['etc/huge', 'etc/ssl/huge.pem', 'usr/bin/huge'])
      assert.ok(!effect.captures?.(path, 2 ** 40), `${path}, however huge`);
    for (const inspector of effect.inspectors ?? [])
      fc.assert(
        fc.property(content, (value) => {
          if (!(value instanceof Uint8Array)) return;
          const fact = inspector.inspect(value);
          assert.equal(fact === undefined ? undefined : typeof JSON.stringify(fact), fact && 'string');
        }),
      );
  });
}

for (const { name: family } of families)
  test(`runEffects() of ${family} has a verdict on every script, whatever it says`, async () => {
    await fc.assert(
      fc.asyncProperty(image, fc.array(run, { maxLength: 3 }), async (files, scripts) => {
        const packages = scripts.map((one) => ({ name: one.package, arch: 'amd64', from: '1', to: '2' }));
        const context = contextOf(files, { family, scripts, packages });
        await orRefused(async () => {
          const verdicts = await runEffects(context);
          assert.ok(verdicts.length >= scripts.length);
          for (const [index, one] of scripts.entries()) {
            assert.equal(verdicts[index]?.package, one.package);
            assert.equal(verdicts[index]?.name, one.script);
          }
          for (const { action, by } of verdicts) {
            assert.ok(['emulated', 'not-run', 'no-op'].includes(action));
            assert.notEqual(by, '');
          }
        });
      }),
      { numRuns: 150 },
    );
  });

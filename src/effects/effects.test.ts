import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EffectContext, ScriptRun } from './effect.ts';
import { compareLibraries, readLayout, writeCache } from './ld-so-cache.ts';
import { noOpReason } from './no-op.ts';
import { subjectHash } from './x509-subject.ts';

const context = { family: 'dpkg' } as EffectContext;
const script = (body: string, interpreter = '/bin/sh'): ScriptRun => ({
  package: 'p',
  script: 'postinst',
  interpreter,
  body,
});

for (const [body, expected] of [
  ['#!/bin/sh\nset -e\n\nexit 0\n', 'empty'],
  [
    '#!/bin/sh\nset -e\nif [ "$1" = "configure" ]; then\n\tupdate-alternatives --install /usr/bin/x x /usr/bin/y 10\nfi\n',
    'only update-alternatives',
  ],
  [
    '#!/bin/sh\ncase "$1" in\n  configure|triggered)\n    dpkg-trigger ldconfig\n  ;;\nesac\n',
    'only dpkg-trigger',
  ],
  ['#!/bin/sh\ninvoke-rc.d nginx reload || true\n', 'only invoke-rc.d'],
  ['#!/bin/sh\nchmod 4755 /usr/bin/x\n', undefined],
  ['#!/bin/sh\nif [ "$1" = configure ]; then adduser --system x; fi\n', undefined],
  ['#!/bin/sh\necho x > /etc/y\n', undefined],
  ['#!/bin/sh\necho $(rm -rf /)\n', undefined],
  ['#!/bin/sh\ncat <<E\nx\nE\n', undefined],
  ['#!/bin/sh\n. /usr/share/debconf/confmodule\n', undefined],
  ['#!/bin/sh\ndpkg-trigger x; rm -rf /etc\n', undefined],
  ['#!/bin/sh\necho `touch /x`\n', undefined],
  ['#!/bin/sh\nX="$(touch /x)"\n', undefined],
] as const)
  test(`noOpReason() of ${JSON.stringify(body)} is ${expected}`, () =>
    assert.equal(noOpReason(script(body), context), expected));

test('noOpReason() judges no script of another interpreter', () => {
  assert.equal(noOpReason(script('#!/usr/bin/perl\nexit 0\n', '/usr/bin/perl'), context), undefined);
});

// order as `ldconfig -p` of glibc 2.36 shows it, which sorts descending
test('compareLibraries() compares runs of digits as numbers and digits above letters', () => {
  assert.ok(compareLibraries('libx.so.10', 'libx.so.9') > 0);
  assert.ok(compareLibraries('libx.so.1', 'libx.so') > 0);
  assert.ok(compareLibraries('liba1.so', 'libab.so') > 0);
  assert.equal(compareLibraries('libz.so.1', 'libz.so.1'), 0);
});

test('writeCache() writes what readLayout() recognises, in both layouts', () => {
  const entries = [{ key: 'liba.so.1', path: '/lib/liba.so.1', flags: 0x303, osVersion: 0, hwcaps: '' }];
  for (const generator of ['ldconfig (GNU libc) stable release version 2.36', undefined])
    assert.deepEqual(readLayout(writeCache(entries, { generator, bigEndian: false, endianFlag: 2 })), {
      generator,
      bigEndian: false,
      endianFlag: 2,
    });
});

test('readLayout() refuses what is no cache of a known kind', () => {
  assert.equal(readLayout(Buffer.from('ld.so-1.7.0')), undefined);
  assert.equal(readLayout(new Uint8Array(48)), undefined);
});

// made and hashed by OpenSSL 3.0: `openssl x509 -noout -subject_hash`
test('subjectHash() refuses what holds no certificate or several', () => {
  assert.equal(subjectHash(''), undefined);
  assert.equal(subjectHash('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'), undefined);
});

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { heldReason, isInstalled, readStatus, replayUpdates, writeStatus } from './status.ts';

function stanza(name: string, status: string, more = ''): string {
  return `Package: ${name}\nStatus: ${status}\nArchitecture: amd64\nVersion: 1:2-3\n${more}\n`;
}

test('readStatus() reads names, versions, sources and states', () => {
  const [plain, held] = readStatus(
    stanza('libx', 'install ok installed', 'Source: x (1.9-1)\nMulti-Arch: same\n') +
      stanza('y', 'hold ok triggers-pending', 'Essential: yes\n'),
    'a test',
  );
  assert.deepEqual(
    { ...plain, stanza: undefined },
    {
      name: 'libx',
      arch: 'amd64',
      version: '1:2-3',
      source: 'x',
      sourceVersion: '1.9-1',
      want: 'install',
      flag: 'ok',
      state: 'installed',
      multiArch: 'same',
      essential: false,
      protected: false,
      stanza: undefined,
    },
  );
  assert.equal(held?.source, 'y');
  assert.equal(held?.sourceVersion, '1:2-3');
  assert.equal(held?.essential, true);
  assert.equal(held && heldReason(held), 'hold');
});

test('what is not installed, and what is not settled, is told apart', () => {
  const rows: readonly (readonly [status: string, installed: boolean, held: string | undefined])[] = [
    ['install ok installed', true, undefined],
    ['install ok triggers-awaited', true, undefined],
    ['install ok unpacked', true, 'unpacked'],
    ['install ok half-configured', true, 'half-configured'],
    ['install reinstreq half-installed', true, 'reinstreq'],
    ['deinstall ok config-files', false, 'config-files'],
  ];
  for (const [status, installed, held] of rows) {
    const [record] = readStatus(stanza('x', status), 'a test');
    assert.equal(record && isInstalled(record), installed, status);
    assert.equal(record && heldReason(record), held, status);
  }
});

test('readStatus() refuses damaged records and says which', () => {
  const rows: readonly (readonly [text: string, message: RegExp])[] = [
    ['Status: install ok installed\n', /Cannot read a test: record 1 has no Package field/],
    ['Package: ../x\nStatus: install ok installed\n', /record 1 has an invalid package name/],
    ['Package: x\nStatus: install ok\nVersion: 1\n', /package x has an invalid Status "install ok"/],
    ['Package: x\nStatus: install ok installed\n', /package x has no Version field/],
    ['Package: x\nArchitecture: a/b\nVersion: 1\n', /package x has an invalid Architecture/],
  ];
  for (const [text, message] of rows)
    assert.throws(
      () => readStatus(text, 'a test'),
      (error: Error & { code?: string }) => {
        assert.match(error.message, message);
        assert.equal(error.code, 'DATABASE_INVALID');
        return true;
      },
    );
});

test('replayUpdates() lets the journal override records, in order', () => {
  const records = readStatus(
    stanza('a', 'install ok installed') + stanza('c', 'install ok installed'),
    'a test',
  );
  const updates = readStatus(
    stanza('b', 'install ok unpacked') +
      stanza('c', 'install ok half-installed') +
      'Package: a\nStatus: unknown ok not-installed\n\n',
    'a test',
  );
  assert.deepEqual(
    replayUpdates(records, updates).map(({ name, state }) => `${name} ${state}`),
    ['b unpacked', 'c half-installed'],
  );
});

test('write(read(status)) is the status file of this machine, byte for byte', (t) => {
  const path = '/var/lib/dpkg/status';
  if (!existsSync(path)) {
    t.skip('this machine has no dpkg database');
    return;
  }
  const text = readFileSync(path, 'latin1');
  const records = readStatus(text, path);
  assert.equal(writeStatus(records), text);
  for (const record of records) assert.ok(record.stanza.fields().length > 3);
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { byteString, fromByteString } from '../../base/bytes.ts';
import { projectRoot, sharedFolder } from '../../../test/support/project.ts';
import { field, readInstalled, writeInstalled } from './installed.ts';
import { readScriptsTar, writeScriptsTar } from './scripts-tar.ts';
import { hasTool } from '../../../test/support/tool.ts';
import { readTriggers, writeTriggers } from './triggers.ts';

const read = (text: string): ReturnType<typeof readInstalled> =>
  readInstalled(fromByteString(text), 'installed');
const write = (text: string, sorted = true): string => byteString(writeInstalled(read(text), { sorted }));

test('the databases of every Alpine root file system at hand are written as they were read', (t) => {
  const shared = sharedFolder();
  if (shared === undefined) return t.skip('the root file systems of ../shared/data are missing');
  if (!hasTool('tar')) return t.skip('tar is not installed');
  const folder = join(shared, 'data/alpine');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.tar.gz'))) {
    const get = (name: string): Buffer =>
      execFileSync('tar', ['-xzOf', join(folder, file), `./lib/apk/db/${name}`]);
    const installed = get('installed');
    const records = readInstalled(installed, file);
    assert.ok(records.length > 10);
    assert.ok(installed.equals(writeInstalled(records, { sorted: !file.includes('-3.17') })), file);
    const scripts = get('scripts.tar');
    const parsed = readScriptsTar(scripts, file);
    assert.ok(parsed.scripts.length >= 7);
    const dialect = { narrowNumbers: parsed.narrowNumbers, hexadecimal: false };
    assert.ok(scripts.equals(writeScriptsTar(parsed.scripts, dialect)), file);
    const triggers = get('triggers');
    assert.ok(triggers.equals(writeTriggers(readTriggers(triggers))), file);
  }
});

test('the databases of the fixtures are written as they were read, sorted by apk 2.14 and unsorted before', () => {
  for (const [name, sorted] of [
    ['alpine-3.17', false],
    ['alpine-3.20', true],
  ] as const) {
    const folder = join(projectRoot, 'fixtures/apk', name);
    const installed = readFileSync(join(folder, 'installed'));
    const records = readInstalled(installed, name);
    assert.ok(installed.equals(writeInstalled(records, { sorted })), name);
    assert.equal(Buffer.compare(installed, writeInstalled(records, { sorted: true })) === 0, sorted, name);
    const triggers = readFileSync(join(folder, 'triggers'));
    assert.ok(triggers.equals(writeTriggers(readTriggers(triggers))), name);
  }
});

const RECORD =
  'C:Q1a=\nP:one\nV:1-r0\nS:1\nI:2\nT:\nU:\nL:\nF:etc\nM:0:0:1777\nR:a\na:0:0:600\nZ:Q1b=\nR:b\nF:\nR:at-root\n\n';

test('writeInstalled() leaves a record of apk as it is', () => {
  assert.equal(write(RECORD), RECORD);
});

test('writeInstalled() brings the dialect of apko into the form of apk', () => {
  const apko =
    'P:Two\nV:2-r0\nA:x86_64\nL:MIT\nT:text\no:two\nm:\nU:u\nD: b  c=1 \np:\nc:\ni:[]\nt:5\nS:9\nI:8\nk:0\nC:Q1b=\nF:usr\nM:0:0:0755\nR:f\na:0:0:0755\n\n' +
    'P:one\nV:1-r0\nC:Q1a=\nT:\nU:\nL:\nS:1\nI:2\n\n';
  assert.equal(
    write(apko),
    'C:Q1a=\nP:one\nV:1-r0\nS:1\nI:2\nT:\nU:\nL:\n\n' +
      'C:Q1b=\nP:Two\nV:2-r0\nA:x86_64\nS:9\nI:8\nT:text\nU:u\nL:MIT\no:two\nt:5\nD:b c=1\ni:[]\nF:usr\nR:f\na:0:0:755\n\n',
  );
  assert.deepEqual(
    readInstalled(fromByteString(write(apko, false)), 'installed').map((record) => field(record, 'P')),
    ['Two', 'one'],
  );
});

test('a directory that appears twice is one directory, the first of repeated fields counts, unknown ones survive', () => {
  const text = RECORD.replace('F:\n', 'F:etc\n').replace('L:\n', 'L:\ns:edge\ns:other\ny:new\n');
  const [record] = read(text);
  assert.ok(record);
  assert.deepEqual(
    record.directories.map(({ path, files }) => [path, files.map(({ name }) => name)]),
    [['etc', ['a', 'b', 'at-root']]],
  );
  assert.match(byteString(writeInstalled([record], { sorted: true })), /\nL:\ns:edge\ny:new\nF:etc\n/);
});

test('readInstalled() refuses records that no apk has written', () => {
  for (const [text, why] of [
    ['P:a\n\n', /line 2 ends a record without a proper V: field/],
    ['P:../a\nV:1\n\n', /without a proper P: field/],
    ['P:a\nV:1\nF:../x\n\n', /line 3 names a directory outside the root/],
    ['P:a\nV:1\nF:/etc\n\n', /outside the root/],
    ['P:a\nV:1\nR:x\n\n', /line 3 has a file before any directory/],
    ['P:a\nV:1\nF:etc\nR:a/b\n\n', /impossible file name/],
    ['P:a\nV:1\nF:etc\nR:..\n\n', /impossible file name/],
    ['P:a\nV:1\nF:etc\nZ:Q1\n\n', /attributes before any file/],
    ['P:a\nV:1\nF:etc\nM:0:0:9\n\n', /wrong owners or mode/],
    ['no field\n', /line 1 has no field letter/],
  ] as const)
    assert.throws(() => read(text), { code: 'DATABASE_INVALID', message: why });
});

test('readScriptsTar() takes names with slashes, both checksums, and keeps the narrow numbers of old branches', () => {
  const script = {
    package: 'a-1-r0',
    checksum: 'Q1/eXfmb=',
    kind: 'post-upgrade',
    mtime: 7,
    body: Buffer.from('#!/bin/sh\n'),
  } as const;
  for (const narrowNumbers of [true, false]) {
    const bytes = writeScriptsTar([script, { ...script, checksum: 'X1ab' }], {
      narrowNumbers,
      hexadecimal: false,
    });
    assert.equal(bytes.length, 4 * 512 + 1024);
    const again = readScriptsTar(bytes, 'scripts.tar');
    assert.equal(again.narrowNumbers, narrowNumbers);
    assert.deepEqual(
      again.scripts.map(({ package: name, checksum, kind }) => `${name} ${checksum} ${kind}`),
      ['a-1-r0 Q1/eXfmb= post-upgrade', 'a-1-r0 X1ab post-upgrade'],
    );
  }
  assert.deepEqual(readScriptsTar(new Uint8Array(), 'scripts.tar'), { scripts: [], narrowNumbers: false });
});

test('readTriggers() merges the lines of a package', () => {
  const lines = readTriggers(fromByteString('Q1a= /bin /sbin\nQ1b= /usr\nQ1a= /lib\n\nQ1c=\n'));
  assert.equal(byteString(writeTriggers(lines)), 'Q1a= /bin /sbin /lib\nQ1b= /usr\n');
});

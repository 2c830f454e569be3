// Laws of the apk formats: the order of versions is total, texts survive reading and writing, patterns mean what a
// naive reading of them says, applets are found wherever their tables lie.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { byteString, fromByteString } from '../../src/base/bytes.ts';
import { formatDependency, isSatisfied, parseDependency } from '../../src/packages/apk/dependencies.ts';
import { matchesName } from '../../src/packages/apk/glob.ts';
import { readInstalled, writeInstalled } from '../../src/packages/apk/installed.ts';
import { SCRIPT_KINDS, readScriptsTar, writeScriptsTar } from '../../src/packages/apk/scripts-tar.ts';
import { compareVersions, isValidVersion, matchesPrefix } from '../../src/packages/apk/version.ts';

const digits = fc.stringMatching(/^[0-9]{1,4}$/);
const version = fc
  .tuple(
    fc.array(digits, { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', 'a', 'b', 'z'),
    fc.array(
      fc.tuple(
        fc.constantFrom('alpha', 'beta', 'pre', 'rc', 'cvs', 'svn', 'git', 'hg', 'p'),
        fc.constantFrom('', '0', '1', '20'),
      ),
      { maxLength: 2 },
    ),
    fc.constantFrom('', '-r0', '-r1', '-r10'),
  )
  .map(
    ([numbers, letter, suffixes, release]) =>
      `${numbers.join('.')}${letter}${suffixes.map(([name, number]) => `_${name}${number}`).join('')}${release}`,
  );
const any = fc.oneof(version, fc.string({ maxLength: 8 }));

test('versions are totally ordered, whatever they are', () => {
  fc.assert(
    fc.property(any, any, any, (a, b, c) => {
      assert.equal(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a)), 0);
      assert.equal(compareVersions(a, a), 0);
      const [low, middle, high] = [a, b, c].sort(compareVersions) as [string, string, string];
      assert.ok(
        compareVersions(low, middle) <= 0 &&
          compareVersions(middle, high) <= 0 &&
          compareVersions(low, high) <= 0,
      );
    }),
  );
});

test('a version is between its pre-releases and its revisions, and begins with itself', () => {
  fc.assert(
    fc.property(version, (text) => {
      assert.ok(isValidVersion(text));
      assert.ok(matchesPrefix(text, text));
      if (text.includes('-r')) return;
      assert.ok(compareVersions(`${text}_rc1`, text) < 0);
      assert.ok(compareVersions(text, `${text}_p1`) < 0);
      assert.ok(compareVersions(text, `${text}-r0`) < 0);
    }),
  );
});

test('dependencies survive being written and read; a conflict is the opposite of its requirement', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9:._/+-]{0,12}$/);
  const operator = fc.constantFrom('=', '<', '<=', '>', '>=', '~');
  fc.assert(
    fc.property(
      name,
      fc.option(fc.tuple(operator, version)),
      fc.constantFrom('', '@edge'),
      version,
      (item, bound, tag, present) => {
        const text = `${item}${bound ? bound.join('') : ''}${tag}`;
        const dependency = parseDependency(text);
        assert.ok(dependency);
        assert.equal(formatDependency(dependency), text);
        const opposite = parseDependency(`!${text}`);
        assert.ok(opposite);
        for (const provided of [undefined, { version: present, checksum: '' }, { version: '', checksum: '' }])
          assert.notEqual(isSatisfied(dependency, provided), isSatisfied(opposite, provided));
      },
    ),
  );
});

test('matchesName() agrees with a regular expression', () => {
  const pattern = fc.array(fc.constantFrom('*', '?', 'a', 'b', '.', '[ab]', '[!a]'), { maxLength: 6 });
  fc.assert(
    fc.property(pattern, fc.stringMatching(/^[ab.]{0,8}$/), (parts, name) => {
      const translate: Readonly<Record<string, string>> = { '*': '.*', '?': '.', '.': '\\.', '[!a]': '[^a]' };
      const expression = new RegExp(`^${parts.map((part) => translate[part] ?? part).join('')}$`, 's');
      assert.equal(matchesName(parts.join(''), name), expression.test(name), `${parts.join('')} ${name}`);
    }),
  );
});

test('what writeInstalled() writes it reads and writes again byte for byte', () => {
  const word = fc.stringMatching(/^[a-z0-9.=_-]{1,8}$/);
  const owner = fc.record({
    uid: fc.nat(70000),
    gid: fc.nat(70000),
    mode: fc.nat(0o7777),
    xattrs: fc.constantFrom('', 'Q1abc='),
  });
  const file = fc.record({
    name: fc.stringMatching(/^[^/\0\n]{1,8}$/).filter((text) => text !== '.' && text !== '..'),
    owner,
    checksum: fc.constantFrom('Q1x=', 'Q1y='),
  });
  const directory = fc.record({
    path: fc.constantFrom('', 'etc', 'usr', 'usr/lib'),
    owner,
    files: fc.array(file, { maxLength: 3 }),
  });
  const record = fc.record({
    fields: fc.tuple(word, word, fc.array(word)).map(
      ([name, text, list]) =>
        new Map([
          ['P', name],
          ['V', text],
          ['C', 'Q1='],
          ['D', list.join(' ')],
          ['T', text],
        ]),
    ),
    directories: fc.uniqueArray(directory, { selector: ({ path }) => path, maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 4 }), fc.boolean(), (records, sorted) => {
      const bytes = writeInstalled(records, { sorted });
      assert.equal(
        byteString(writeInstalled(readInstalled(bytes, 'installed'), { sorted })),
        byteString(bytes),
      );
    }),
  );
});

test('readInstalled() accepts or refuses with its own error, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[PVFRZMa]?:?[a-z0-9/.:]{0,6}$/), { maxLength: 12 }), (lines) => {
      try {
        readInstalled(fromByteString(lines.join('\n')), 'installed');
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'DATABASE_INVALID');
      }
    }),
  );
});

test('scripts survive scripts.tar, bytes and all', () => {
  const script = fc.record({
    package: fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/),
    checksum: fc.stringMatching(/^Q1[A-Za-z0-9+/]{10}=$/),
    kind: fc.constantFrom(...SCRIPT_KINDS),
    mtime: fc.nat(2 ** 31),
    body: fc.uint8Array({ maxLength: 1200 }),
  });
  fc.assert(
    fc.property(fc.array(script, { maxLength: 4 }), fc.boolean(), (scripts, narrowNumbers) => {
      const { scripts: again } = readScriptsTar(
        writeScriptsTar(scripts, { narrowNumbers, hexadecimal: false }),
        'scripts.tar',
      );
      const plain = (items: typeof again): unknown[] =>
        items.map((item) => ({ ...item, body: Buffer.from(item.body).toString('hex') }));
      assert.deepEqual(plain(again), plain(scripts));
    }),
  );
});

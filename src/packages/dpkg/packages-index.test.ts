import { test } from 'node:test';
import assert from 'node:assert/strict';
import { scanPackages } from './packages-index.ts';

const TEXT = `Package: a
Version: 1
Provides: virtual (= 2), other

Package: b
Version: 2
Description: mentions virtual
 and virtual again

Version: 3
Package: c
Provides: x,
 virtual

PACKAGE:  a
Version: 4


Package: not-virtual-at-all
Version: 5
Provides: virtual-not

Version: 6
Description: no name
`;

test('scanPackages() finds packages by name wherever the field stands, and providers by their field', () => {
  for (const text of [TEXT, `\n\n${TEXT}`, TEXT.trimEnd()]) {
    const index = scanPackages(Buffer.from(text), 'a test');
    assert.equal(index.size, 5);
    const versions = (name: string): (string | undefined)[] =>
      index.find(name).map((stanza) => stanza.get('Version'));
    assert.deepEqual(versions('a'), ['1', '4']);
    assert.deepEqual(versions('b'), ['2']);
    assert.deepEqual(versions('c'), ['3']);
    assert.deepEqual(versions('d'), []);
    assert.equal(index.has('c'), true);
    assert.equal(index.has('virtual'), false);
    assert.deepEqual(
      index.providers('virtual').map((stanza) => stanza.get('Package')),
      ['a', 'c'],
    );
    assert.deepEqual(
      index.providers('other').map((stanza) => stanza.get('Package')),
      ['a'],
    );
    assert.deepEqual(index.providers('none'), []);
  }
  assert.equal(scanPackages(new Uint8Array(), 'empty').size, 0);
});

test('scanPackages() reads every paragraph of a large index', () => {
  const text = Array.from(
    { length: 20_000 },
    (_, i) => `Package: p${i}\nVersion: ${i}\nDepends: p${i + 1}\n`,
  ).join('\n');
  const index = scanPackages(Buffer.from(text), 'a test');
  assert.equal(index.size, 20_000);
  for (const i of [0, 1, 9999, 19_999]) assert.equal(index.find(`p${i}`)[0]?.get('Version'), String(i));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStanza, parseStanzas } from './control.ts';
import type { ControlOptions } from './control.ts';

const OPTIONS: ControlOptions = { what: 'a test', code: 'DATABASE_INVALID' };

test('parseStanzas() splits at empty lines, however many', () => {
  const stanzas = parseStanzas('\n\nA: 1\n\n\n\nB: 2\n', OPTIONS);
  assert.deepEqual(
    stanzas.map(({ raw }) => raw),
    ['A: 1\n', 'B: 2\n'],
  );
  assert.deepEqual(parseStanzas('', OPTIONS), []);
});

test('get() finds fields whatever their case, trimmed, folded lines verbatim', () => {
  const stanza = parseStanza(
    'Package:  x \nDescription: short\n long one\n .\n  and more\nVersion:1\nFiles:\n a b\n',
    OPTIONS,
  );
  assert.equal(stanza.get('package'), 'x');
  assert.equal(stanza.get('Description'), 'short\n long one\n .\n  and more');
  assert.equal(stanza.get('VERSION'), '1');
  assert.equal(stanza.get('Files'), '\n a b');
  assert.equal(stanza.get('Pack'), undefined);
  assert.equal(stanza.get('Packages'), undefined);
});

test('get() takes no field of the next stanza and no continuation line for one', () => {
  const [first] = parseStanzas('A: 1\n B: 2\n\nC: 3\n', OPTIONS);
  assert.equal(first?.get('B'), undefined);
  assert.equal(first?.get('C'), undefined);
  assert.equal(first?.get('A'), '1\n B: 2');
});

test('get() works at the end of a text without a final newline', () => {
  assert.equal(parseStanza('A: 1\nB: 2', OPTIONS).get('B'), '2');
  assert.equal(parseStanza('A: 1\nB:', OPTIONS).get('B'), '');
});

test('fields() lists all fields in order and refuses what is none, or comes twice', () => {
  assert.deepEqual(parseStanza('A: 1\nB:\n x\n', OPTIONS).fields(), [
    { name: 'A', value: '1' },
    { name: 'B', value: '\n x' },
  ]);
  assert.throws(() => parseStanza('Package: p\nnonsense\n', OPTIONS).fields(), {
    code: 'DATABASE_INVALID',
    message: 'Cannot read a test: package p has a line that is no field: "nonsense"',
  });
  assert.throws(() => parseStanza('A: 1\na: 2\n', OPTIONS).fields(), /has field a twice/);
});

test('comments are lines of .sources files only', () => {
  const text = '# first\nTypes: deb\n# second\nURIs: a\n# third\n b\n';
  assert.equal(parseStanza(text, { ...OPTIONS, comments: true }).get('URIs'), 'a\n b');
  assert.throws(() => parseStanza(text, OPTIONS).fields(), /is no field/);
});

test('parseStanza() wants exactly one paragraph', () => {
  assert.throws(() => parseStanza('A: 1\n\nB: 2\n', OPTIONS), /has 2 paragraphs instead of one/);
  assert.throws(() => parseStanza('\n', OPTIONS), /has 0 paragraphs/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isObject, parseJson, parseJsonObject, serialize } from './json.ts';

const read = (text: string): unknown => parseJson(Buffer.from(text), 'Test');
const rewritten = (text: string): string => Buffer.from(serialize(read(text))).toString();

const unchanged = [
  '{"b":1,"a":[true,false,null],"z":{"y":"x"}}',
  '{"big":9007199254740993,"negative":-9223372036854775808,"one":1.0,"far":1e400,"zero":-0,"e":1E5}',
  '{"__proto__":{"polluted":true},"constructor":1,"toString":2}',
  '"\\ud800 lone"',
  '"\\"\\\\ \\n\\u0001 ü \u{1f600}"',
  '[]',
  '{}',
];
for (const text of unchanged)
  test(`serialize(parseJson()) gives back ${text.slice(0, 60)}`, () => assert.equal(rewritten(text), text));

test('white space and needless escapes are all that changes', () => {
  assert.equal(rewritten(' {\r\n\t"a" : [ 1 , "\\u003c\\/" ] } '), '{"a":[1,"</"]}');
});

test('parseJson() agrees with JSON.parse on what it reads', () => {
  const text = '{"a":[1,2.5,-3,1000,"\\u00fc\\n"],"b":{"c":null,"d":[[]]}}';
  assert.equal(JSON.stringify(read(text)), JSON.stringify(JSON.parse(text)));
});

test('parseJson() lets no key reach a prototype', () => {
  const value = parseJsonObject(Buffer.from('{"__proto__":{"x":1}}'), 'Test');
  assert.equal(value['x'], undefined);
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
  const copy = { ...value, y: 1 };
  assert.equal(Buffer.from(serialize(copy)).toString(), '{"__proto__":{"x":1},"y":1}');
});

const refused: readonly [text: string, why: RegExp][] = [
  ['{"a":1,"a":2}', /key "a" comes twice/],
  ['{"__proto__":1,"__proto__":2}', /comes twice/],
  ['{"a":1,}', /key was expected/],
  ['[1,]', /value was expected/],
  ['{"a" 1}', /":" was expected/],
  ['{"a":1', /"," or "}"/],
  ['[1', /"," or "]"/],
  ['"abc', /does not end/],
  ['"a\nb"', /control character/],
  ['"\\x"', /bad escape/],
  ['"\\', /does not end/],
  ['01', /after the end/],
  ['+1', /value was expected/],
  ['NaN', /value was expected/],
  ['tru', /value was expected/],
  ['{} {}', /after the end/],
  ['', /value was expected/],
  ['\ufeff{}', /value was expected/],
  ['['.repeat(100), /levels of nesting/],
];
for (const [text, why] of refused)
  test(`parseJson() refuses ${JSON.stringify(text.slice(0, 30))}`, () => {
    assert.throws(() => read(text), { code: 'IMAGE_INVALID', message: why });
  });

test('parseJson() refuses bytes that are not UTF-8', () => {
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22), 'Test'), { code: 'IMAGE_INVALID' });
});

test('isObject() tells objects from the rest', () => {
  assert.ok(isObject(read('{}')));
  for (const text of ['[]', 'null', '1', '1.0', '"a"']) assert.ok(!isObject(read(text)), text);
});

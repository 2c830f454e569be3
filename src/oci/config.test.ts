import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countLayerHistory, parseConfig } from './config.ts';
import { serialize } from './json.ts';

const ID = `sha256:${'b'.repeat(64)}`;
const parse = (text: string): ReturnType<typeof parseConfig> => parseConfig(Buffer.from(text));

test('parseConfig() reads what is used and keeps the rest as it was', () => {
  const text = `{"architecture":"arm","variant":"v7","os":"windows","os.version":"10.0","config":{"Healthcheck":{"Interval":9007199254740993},"Labels":{"a":"b"}},"container_config":{"x":[]},"created":"2024-01-02T03:04:05.6Z","history":[{"created":"2024-01-02T03:04:05Z","created_by":"ADD","comment":"c","author":"me"},{"created_by":"ENV","empty_layer":true}],"rootfs":{"type":"layers","diff_ids":["${ID}"]},"moby.buildkit.cache.v0":"x"}`;
  const config = parse(text);
  assert.equal(Buffer.from(serialize(config.raw)).toString(), text);
  const { raw: _raw, labels, history, ...rest } = config;
  assert.deepEqual(rest, {
    os: 'windows',
    architecture: 'arm',
    variant: 'v7',
    osVersion: '10.0',
    diffIds: [ID],
    created: '2024-01-02T03:04:05.6Z',
  });
  assert.deepEqual({ ...labels }, { a: 'b' });
  assert.deepEqual(
    history?.map(({ raw: _raw, ...entry }) => entry),
    [
      { created: '2024-01-02T03:04:05Z', createdBy: 'ADD', comment: 'c', author: 'me', emptyLayer: false },
      { createdBy: 'ENV', comment: '', emptyLayer: true },
    ],
  );
  assert.equal(countLayerHistory(config), 1);
});

test('parseConfig() tells a missing history from an empty one', () => {
  assert.equal(parse('{"rootfs":{}}').history, undefined);
  assert.equal(parse('{"rootfs":{"diff_ids":null},"history":null}').history, undefined);
  assert.deepEqual(parse('{"rootfs":{},"history":[]}').history, []);
});

test('parseConfig() reads labels under both spellings', () => {
  const config = parse(
    '{"rootfs":{},"config":{"labels":{"BaseImage":"nginx:1","a":"lower"},"Labels":{"a":"upper"}}}',
  );
  assert.deepEqual({ ...config.labels }, { BaseImage: 'nginx:1', a: 'upper' });
});

const refused: readonly [text: string, code: string, message: RegExp][] = [
  ['{}', 'IMAGE_INVALID', /no rootfs/],
  ['[]', 'IMAGE_INVALID', /not a JSON object/],
  ['{"rootfs":{"type":"snapshot"}}', 'IMAGE_UNSUPPORTED', /snapshot/],
  ['{"rootfs":{"diff_ids":["sha256:x"]}}', 'IMAGE_INVALID', /diff_ids\[0\] is not a valid digest/],
  ['{"rootfs":{"diff_ids":{}}}', 'IMAGE_INVALID', /diff_ids is not a list/],
  [`{"rootfs":{"diff_ids":[${Array(1001).fill(`"${ID}"`).join()}]}}`, 'LIMIT_EXCEEDED', /1001 entries/],
  ['{"rootfs":{},"history":{}}', 'IMAGE_INVALID', /history is not a list/],
  ['{"rootfs":{},"history":[1]}', 'IMAGE_INVALID', /history\[0\] is not an object/],
  ['{"rootfs":{},"history":[{"comment":1}]}', 'IMAGE_INVALID', /history\[0\].comment is not a text/],
  ['{"rootfs":{},"os":1}', 'IMAGE_INVALID', /os is not a text/],
  ['{"rootfs":{},"config":{"Labels":{"a":1}}}', 'IMAGE_INVALID', /Labels is not a text/],
];
for (const [text, code, message] of refused)
  test(`parseConfig() refuses ${text.slice(0, 50)}`, () =>
    assert.throws(() => parse(text), { code, message }));

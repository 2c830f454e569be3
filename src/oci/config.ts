// Image configs: image-spec config.md, and Docker's superset of it. Parsed for what we use; everything stays in `raw`
// in its order and is written back from there.
import { OnlayError } from '../errors.ts';
import { parseDigest, type DiffId } from './digest.ts';
import { isObject, parseJsonObject } from './json.ts';
import type { JsonObject } from './manifest.ts';

export interface HistoryEntry {
  readonly created?: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly author?: string;
  /** The step made no layer. */
  readonly emptyLayer: boolean;
  readonly raw: JsonObject;
}

export interface ImageConfig {
  /** '' where the config does not say. */
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
  readonly diffIds: readonly DiffId[];
  /** Absent where the config has none; it need not have an entry for each layer. */
  readonly history?: readonly HistoryEntry[];
  /** RFC 3339, as written. */
  readonly created?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly raw: JsonObject;
}

export const MAX_CONFIG_SIZE: number = 16 << 20;
const MAX_DIFF_IDS = 1000;
const MAX_HISTORY = 10_000;

/** Parses a config; `what` names it in messages. Throws IMAGE_INVALID. */
export function parseConfig(bytes: Uint8Array, what = 'Image config'): ImageConfig {
  if (bytes.length > MAX_CONFIG_SIZE)
    throw new OnlayError('LIMIT_EXCEEDED', `${what} has ${bytes.length} bytes, more than ${MAX_CONFIG_SIZE}`);
  const raw = parseJsonObject(bytes, what);
  const rootfs = raw['rootfs'];
  if (!isObject(rootfs)) throw new OnlayError('IMAGE_INVALID', `${what} has no rootfs`);
  if (rootfs['type'] !== undefined && rootfs['type'] !== 'layers')
    throw new OnlayError(
      'IMAGE_UNSUPPORTED',
      `${what} has a rootfs of type ${JSON.stringify(rootfs['type'])?.slice(0, 60)}`,
    );
  const text = (key: string): string | undefined => optionalText(raw[key], key, what);
  const variant = text('variant');
  const osVersion = text('os.version');
  const created = text('created');
  const history = parseHistory(raw['history'], what);
  return {
    os: text('os') ?? '',
    architecture: text('architecture') ?? '',
    ...(variant !== undefined && { variant }),
    ...(osVersion !== undefined && { osVersion }),
    diffIds: list(rootfs['diff_ids'], 'rootfs.diff_ids', MAX_DIFF_IDS, what).map((id, index) =>
      parseDigest(id, `${what}: rootfs.diff_ids[${index}]`),
    ),
    ...(history !== undefined && { history }),
    ...(created !== undefined && { created }),
    labels: parseLabels(raw['config'], what),
    raw,
  };
}

/** Entries of the history that stand for a layer. */
export function countLayerHistory(config: ImageConfig): number {
  return (config.history ?? []).filter((entry) => !entry.emptyLayer).length;
}

function parseHistory(value: unknown, what: string): HistoryEntry[] | undefined {
  if (value === undefined || value === null) return undefined;
  return list(value, 'history', MAX_HISTORY, what).map((entry, index) => {
    const place = `history[${index}]`;
    if (!isObject(entry)) throw new OnlayError('IMAGE_INVALID', `${what}: ${place} is not an object`);
    const text = (key: string): string | undefined => optionalText(entry[key], `${place}.${key}`, what);
    const created = text('created');
    const author = text('author');
    return {
      ...(created !== undefined && { created }),
      createdBy: text('created_by') ?? '',
      comment: text('comment') ?? '',
      ...(author !== undefined && { author }),
      emptyLayer: entry['empty_layer'] === true,
      raw: entry,
    };
  });
}

// copa writes its label into "labels", beside Docker's "Labels"
function parseLabels(config: unknown, what: string): Readonly<Record<string, string>> {
  const labels = Object.create(null) as Record<string, string>;
  if (!isObject(config)) return labels;
  for (const key of ['labels', 'Labels']) {
    const map = config[key];
    if (map === undefined || map === null) continue;
    if (!isObject(map)) throw new OnlayError('IMAGE_INVALID', `${what}: config.${key} is not an object`);
    for (const [name, value] of Object.entries(map))
      labels[name] = optionalText(value, `config.${key}`, what) ?? '';
  }
  return labels;
}

function list(value: unknown, key: string, limit: number, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new OnlayError('IMAGE_INVALID', `${what}: ${key} is not a list`);
  if (value.length > limit)
    throw new OnlayError('LIMIT_EXCEEDED', `${what}: ${key} has ${value.length} entries, more than ${limit}`);
  return value;
}

function optionalText(value: unknown, key: string, what: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new OnlayError('IMAGE_INVALID', `${what}: ${key} is not a text`);
  return value;
}

// What values of flags mean: durations, numbers, times.
import { OnlayError } from '../errors.ts';
import type { ApplyFlags } from './options.ts';

/** Milliseconds of "90s", "5m", "1h30m", "500ms", or of a bare number of seconds. */
export function parseDuration(text: string): number {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const parts = [...text.matchAll(/(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text)
    throw new OnlayError('USAGE', `Cannot read the duration ${JSON.stringify(text)}`, {
      hint: 'write it as 90s, 5m or 1h30m',
    });
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (units[unit ?? ''] ?? 0), 0);
}

/** A whole number within bounds; `name` is the flag. */
export function parseNumber(
  text: string,
  name: string,
  bounds: { readonly min: number; readonly max: number },
): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < bounds.min || value > bounds.max)
    throw new OnlayError(
      'USAGE',
      `${name} takes a whole number from ${bounds.min} to ${bounds.max}, not ${JSON.stringify(text)}`,
    );
  return value;
}

/** Seconds since 1970 of --source-date-epoch or SOURCE_DATE_EPOCH; undefined when neither is given. */
export function parseEpoch(
  { sourceDateEpoch }: Pick<ApplyFlags, 'sourceDateEpoch'>,
  env: Readonly<Record<string, string | undefined>>,
): number | undefined {
  const bounds = { min: 0, max: 253402300799 };
  if (sourceDateEpoch !== undefined) return parseNumber(sourceDateEpoch, '--source-date-epoch', bounds);
  const variable = env['SOURCE_DATE_EPOCH'] ?? '';
  return variable === '' ? undefined : parseNumber(variable, 'SOURCE_DATE_EPOCH', bounds);
}

// The one error of the project. A code says what kind of thing went wrong and decides the exit status
// (cli/exit-codes.ts); the message says what, where and why in one line; the hint says what to do about it.

/** Every code an OnlayError can carry. Stable: scripts read it from `error.code` of `--json`. */
export type ErrorCode =
  // usage and configuration
  | 'USAGE'
  | 'CONFIG_INVALID'
  | 'REFERENCE_INVALID'
  // reports, plans
  | 'REPORT_INVALID'
  | 'REPORT_UNSUPPORTED'
  | 'REPORT_MISMATCH'
  | 'PLAN_INVALID'
  | 'PLAN_MISMATCH'
  // the image cannot be patched
  | 'IMAGE_NOT_FOUND'
  | 'IMAGE_INVALID'
  | 'IMAGE_UNSUPPORTED'
  | 'PLATFORM_NOT_FOUND'
  | 'ARCHIVE_INVALID'
  | 'NO_PACKAGE_DATABASE'
  | 'DATABASE_INVALID'
  | 'DISTRO_UNSUPPORTED'
  | 'DISTRO_END_OF_LIFE'
  | 'REPOSITORIES_MISSING'
  // some wanted fixes could not be applied
  | 'FIX_UNAVAILABLE'
  // verification
  | 'SIGNATURE_INVALID'
  | 'DIGEST_MISMATCH'
  | 'SIZE_MISMATCH'
  | 'INDEX_INVALID'
  | 'INDEX_EXPIRED'
  | 'PACKAGE_INVALID'
  | 'LIMIT_EXCEEDED'
  // policy
  | 'SCRIPT_REFUSED'
  | 'TARGET_REFUSED'
  | 'CONFLICT'
  // authentication and authorisation
  | 'AUTH_REQUIRED'
  | 'AUTH_DENIED'
  // network and servers
  | 'NETWORK'
  | 'SERVER'
  | 'TIMEOUT'
  | 'ABORTED'
  // ours
  | 'INTERNAL';

/** What stops a run. `message` and `hint` are one line each and never hold a secret. */
export class OnlayError extends Error {
  override readonly name = 'OnlayError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(redact(oneLine(message)), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    const hint = options.hint ?? USUAL_HINTS[code];
    this.hint = hint === undefined ? undefined : redact(oneLine(hint));
  }
}

/** What to do where the place that throws knows nothing better. */
const USUAL_HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  IMAGE_NOT_FOUND: 'check the name, the tag and the platform',
  IMAGE_INVALID: 'the image is damaged or was made by a broken tool; build or copy it again',
  ARCHIVE_INVALID: 'it is damaged as it was published; compare with another copy or ask its author',
  DATABASE_INVALID:
    'the package database of the image is damaged or in the middle of a change; build the image again',
  REPORT_MISMATCH: 'scan the very image that is to be patched, best by digest',
  DIGEST_MISMATCH:
    'what was received is not what its name promises; try again, or use another store or mirror',
  SIZE_MISMATCH: 'what was received is not what its name promises; try again, or use another store or mirror',
  SIGNATURE_INVALID:
    'if the repository is signed by another key, add that with --trust-key FILE; otherwise use another mirror',
  INDEX_INVALID:
    'the mirror may be in the middle of a synchronisation; try again later or use another one: --mirror FROM=TO',
  INDEX_EXPIRED: 'use a mirror that is up to date: --mirror FROM=TO',
  PACKAGE_INVALID: 'use another mirror: --mirror FROM=TO',
  LIMIT_EXCEEDED: 'this protects against hostile input; report it if the input is honest',
  AUTH_REQUIRED: 'log in with `onlay login HOST`, or give --authfile FILE',
  AUTH_DENIED: 'the credentials lack the right that is needed; use others',
  NETWORK: 'check network, proxy and name; trying again may help',
  SERVER: 'trying again may help',
};

/** True when `error` is an OnlayError with one of the codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is OnlayError {
  return error instanceof OnlayError && codes.includes(error.code);
}

/** The text of anything thrown, on one line, without secrets. */
export function messageOf(error: unknown): string {
  return redact(oneLine(error instanceof Error ? error.message : String(error)));
}

/**
 * Removes what may be a secret from text meant for people: user information and query strings of URLs (signed storage
 * URLs carry their signature there), and Authorization values.
 */
export function redact(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@'"]+@/gi, '$1***@')
    .replace(/\b(https?:\/\/[^\s?'"<>]+)\?[^\s'"<>]*/gi, '$1?***')
    .replace(/\b(Basic|Bearer)\s+[A-Za-z0-9._~+/=-]{6,}/g, '$1 ***');
}

function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters from outside must not reach a terminal
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
}
